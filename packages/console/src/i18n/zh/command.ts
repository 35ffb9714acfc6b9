export const commandTexts = {
  command: {
    title: '命令面板',
    placeholder: '前往页面、智能体、运行…',
    pages: '页面',
    do: '切换',
    theme: '切换浅色与深色',
    shortcuts: '键盘快捷键',
    openRun: '打开运行 {{id}}',
    none: '没有匹配的内容。',
    everywhere: '任何页面',
    search: '在本页搜索',
    closes: '关闭打开的内容',
    goTo: '前往',
    move: '移动',
    fold: '收起与展开',
    detail: '显示详情',
  },
}
