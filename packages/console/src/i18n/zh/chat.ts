export const chatTexts = {
  chat: {
    fresh: '新对话',
    earlier: '与此智能体的历史对话',
    noEarlier: '还没有。',
    turns: '对话内容',
    cut: '显示最近 {{count}} 轮。',
    begin: '与 {{agent}} 对话',
    beginText: '它会记住这里说过的内容。每一轮都是一次运行，步骤可以查看。',
    message: '消息',
    send: '发送',
    stop: '停止',
    empty: '请先输入内容。',
    steps: '步骤',
    preview: '这里由预览版本回答，而不是当前版本。',
    toLive: '转到当前版本',
  },
}
