export const adminTexts = {
  admin: { cancel: '取消', again: '重试', noRight: '此密钥无权查看', noRightText: '需要 {{permission}} 权限，密钥管理者可以授予。' },
}
