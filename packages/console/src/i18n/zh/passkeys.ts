/** 通行密钥：以指纹、面容或安全密钥登录。 */
export const passkeys = {
  title: '通行密钥',
  text: '以指纹、面容或安全密钥登录，无需密码。通行密钥同时算作第二重验证。',
  signIn: '使用通行密钥登录',
  use: '使用通行密钥',
  add: '添加通行密钥',
  name: '通行密钥名称',
  nameHint: '便于您辨认的名称，例如保存它的设备。',
  newName: '新名称',
  password: '您的密码，用于添加通行密钥',
  rename: '重命名',
  synced: '多台设备共用',
  elsewhere: '用于 {{host}}',
  unused: '尚未使用',
  unavailable: '此浏览器在该地址无法使用通行密钥。需要 https，或本机的 http://localhost。',
  alreadyHere: '此设备已保存了您的通行密钥。',
  notGiven: '未提供通行密钥：可能已取消、超时，或此地址没有可用的通行密钥。',
} as const
