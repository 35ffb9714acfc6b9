import type { Texts } from './index.ts'

/** 控制台的全部中文文本。 */
export const zh: Texts = {
  app: { name: 'Longhaul', skip: '跳到正文' },
  nav: { label: '主导航', ask: '提问', runs: '运行', approvals: '审批', system: '系统', pending_other: '{{count}} 项等待决定' },
  settings: {
    open: '设置', language: '语言', theme: '外观', system: '跟随系统', light: '浅色', dark: '深色', toDark: '切换到深色', toLight: '切换到浅色',
    signedInAs: '当前登录密钥', signOut: '退出登录', otherLanguage: 'English', otherLanguageLabel: '切换到英文',
  },
  common: {
    close: '关闭', copy: '复制', copied: '已复制', more: '再显示 {{chars}} 个字符', none: '无',
    noPermission: '此密钥没有 {{permission}} 权限。', newer: '最新', older: '更早', all: '全部', download: '下载', unpriced: '价格未知',
  },
  connection: { lost: '服务器没有响应，正在重新连接；运行中的任务不会丢失。', offlineChip: '离线替身', offlineTitle: '没有配置模型供应商。目前由基于规则的替身作答，它不是语言模型。' },
  error: {
    title: '操作没有成功', request: '请求编号 {{id}}', missingPage: '没有这个页面', missingPageText: '该地址不存在，可能输入有误，或来自其他版本。',
    crash: '页面出错', crashText: '这是控制台自身的故障，不影响任何运行。', reload: '重新加载',
    remedy: {
      invalid: '请检查输入，上面的信息指出了错误之处。', unauthenticated: '请用本服务器的密钥重新登录。', forbidden: '请换用具备该权限的密钥，或联系密钥管理者。',
      not_found: '请检查地址。它可能属于另一台服务器，或此密钥无权查看。', conflict: '状态已经改变，请查看最新状态后再决定。',
      too_large: '请减少一次发送的内容。', over_limit: '请稍后再试，或请人提高限额。', internal: '服务器日志中可按请求编号查到原因。',
      unavailable: '没有丢失任何内容，页面会自动重试。',
    },
  },
  signIn: {
    title: '登录', lead: '控制台只显示密钥有权查看的内容。请粘贴本服务器的密钥。', key: 'API 密钥', submit: '登录', show: '显示密钥', hide: '隐藏密钥',
    where: '密钥在哪里', whereText: '服务器首次启动时为本机生成了一个密钥，打印在终端上，并写入启动目录下一个仅限当前用户读取的文件：',
    whereLink: '打开服务器打印的网址即可自动登录。密钥只保存在这个浏览器中。',
    wrong: '服务器不认识这个密钥', wrongText: '它可能不完整、已被吊销，或属于另一台服务器。', rejected: '密钥已失效，可能已被吊销。请换一个密钥登录。', empty: '请先输入密钥。',
  },
  home: {
    title: '提问', lead: '智能体会一步一步完成工作，每一步都可以查看。', agents: '智能体', question: '问题', placeholder: '向 {{agent}} 提问…', functionPlaceholder: '{{agent}} 的输入：文本或 JSON…',
    submit: '提问', start: '启动', examples: '示例', recent: '最近的运行', allRuns: '全部运行', hint: '回车提问，Shift+回车换行', jsonHint: 'JSON，Ctrl+回车启动。', jsonInput: '输入（JSON）', badJson: '还不是有效的 JSON：{{message}}', emptyJson: '请先写下 JSON 输入。', noRuns: '还没有运行', noRunsText: '提一个问题，运行就会出现在这里，并保留全部经过。',
    noAgents: '没有部署智能体', noAgentsText: '一个智能体就是一个文件夹。把它放进服务器的智能体目录并重启，服务器会自动部署。',
    starting: '启动中', ready: '就绪', broken: '故障', brokenTitle: '{{agent}} 无法加载', brokenText: '请修正代码后重启服务器。', notReady: '{{agent}} 仍在启动，正在加载代码。',
    empty: '请先写下问题。', tools_other: '{{count}} 个工具', code: '代码', agentBroken: '这个智能体无法加载，不能提问。', pick: '选择智能体',
  },
  runs: {
    title: '运行', state: '状态', agent: '智能体', question: '问题', asker: '提问者', duration: '用时', cost: '费用', started: '开始时间', anyState: '全部状态', anyAgent: '全部智能体',
    empty: '还没有运行', emptyText: '有人向智能体提问后，运行会立即出现在这里。', emptyFiltered: '没有符合条件的运行', emptyFilteredText: '没有任何运行符合这些筛选条件。', clear: '清除筛选', ask: '去提问', noInput: '无输入',
  },
  state: { pending: '排队中', running: '运行中', waiting: '等待中', completed: '已完成', failed: '失败', cancelled: '已取消' },
  run: {
    askedBy: '{{name}} 提问', version: '版本 {{version}}', started: '开始时间', duration: '用时', waited: '其中等待 {{duration}}', cost: '费用', tokens: '词元', model: '模型', access: '数据权限', id: '运行编号',
    tokensValue: '输入 {{input}} · 输出 {{output}}', tokensCached: '其中 {{cached}} 输入来自缓存',
    cancel: '取消运行', cancelTitle: '取消这次运行？', cancelText: '已完成的工作会保留，正在进行的会停止，之后无法继续。', cancelReason: '原因（可选）', keep: '继续运行',
    cancelEnded: '运行已结束。', askAgain: '再问一次', retry: '重新执行', retryBlocked: '只有等待运维人员的运行才能重新执行。',
    missing: '没有这次运行', offline: '离线替身，不是语言模型', offlineText: '没有配置模型供应商。答案由固定规则得出，规则之外一无所知。',
    accessAll: '全部数据', accessRegions: '地区 {{regions}}', accessNoPersonal: '不含个人数据', accessLimited: '答案仅限提问者有权查看的数据：{{access}}。',
    queued: '等待工作进程', working: '工作中', reconnecting: '连接中断，正在从断点继续…', streamFailed: '实时视图已停止',
    
  },
  wait: {
    timer: '等待至 {{until}}', timerText: '这是智能体自己设定的定时器（{{name}}）。等待期间不产生费用，到时自动继续。', signal: '等待信号“{{name}}”', signalText: '需要由外部发送',
    approval: '等待决定', operator: '等待运维人员', until: '截至 {{until}}', noLimit: '没有时限', payload: '内容（JSON）', send: '发送信号', badJson: '这不是 JSON：{{message}}',
    diverged: '智能体的代码与这次运行的历史不再一致，因此它停了下来，而不是凭猜测继续。', poison: '这次运行连续多次导致工作进程崩溃，因此被搁置。',
    broken: '这次运行所用版本的代码已无法加载，因此被搁置。', brokenRemedy: '请解决上述问题后重新执行，或取消运行。',
    divergedRemedy: '请恢复它开始时的版本后重新执行，或取消运行。', poisonRemedy: '请查明工作进程崩溃的原因（见其日志）后重新执行，或取消运行。', difference: '第一处差异', recorded: '历史记录', asked: '现在请求',
    approve: '批准', deny: '拒绝', comment: '备注（可选）', approved: '已批准', denied: '已拒绝', expires: '{{when}}到期', decided: '{{name}} {{state}}', pending: '待决定', expired: '已过期', withdrawn: '已撤回', detail: '请求内容',
    signalSent: '已发送，运行稍后就会收到。',
  },
  answer: {
    title: '答案', result: '结果', failure: '失败原因', table: '表格', rows_other: '{{count}} 行', cut: '共 {{total}} 行，显示前 {{shown}} 行', csv: '复制为 CSV', sql: 'SQL', copySql: '复制 SQL', 
    chart: '图表', chartFailed: '文件加载失败。', sortBy: '按 {{column}} 排序', empty: '查询没有返回任何行。', cancelled: '已取消', cancelledBy: '由 {{name}} 取消', stack: '调用栈', retryable: '重试可能成功', final: '重试也不会成功',
    nothing: '没有返回内容。', copyAnswer: '复制答案', showAll: '显示全部 {{count}} 行',
  },
  timeline: {
    title: '时间线', label: '运行经过（按顺序）', filter: '显示', all: '全部', model: '模型', tool: '工具', exec: '命令', problem: '问题', retries_other: '{{count}} 次重试',
    interruptions_other: '{{count}} 次中断', steps_other: '{{count}} 个步骤', empty: '尚未发生任何事情。', emptyFilter: '没有这类条目。', expand: '展开', collapse: '收起',
    latest: '跳到最新', skipped: '等待 {{duration}}（已压缩显示）', tries_other: '共 {{count}} 次尝试', loading: '正在加载历史',
  },
  entry: {
    model: '模型调用', tool: '工具', exec: '命令', files: '文件操作', artifact: '文件', step: '步骤', timer: '定时器', signal: '信号', approval: '审批', operator: '运维', branch: '分支 {{number}}', branches: '{{count}} 个分支', parallel: '并行',
    started: '开始', completed: '完成', failed: '失败', cancelled: '已取消', interrupted: '工作进程丢失', hung: '工作进程停止响应', resumed: '继续执行', received: '收到信号',
    by: '由 {{name}}', exit: '退出码 {{code}}', killed: '被 {{signal}} 终止', timedOut: '超时', wrote_other: '写入 {{count}} 个文件', read: '读取 {{path}}', list: '列出 {{path}}', calls: '调用 {{tools}}', thinking: '思考中…',
    state: { running: '进行中', retrying: '即将重试', waiting: '等待中', interrupted: '已中断，将继续执行', completed: '已完成', failed: '失败', abandoned: '未完成' },
  },
  detail: {
    label: '详情', copyLink: '复制此条目的链接', prompt: '提示词', instructions: '指令', tools: '可用工具', response: '回复', input: '输入', output: '输出', error: '错误', raw: '原始数据', readable: '易读视图', script: '脚本', stdout: '标准输出', stderr: '标准错误',
    started: '开始时间', duration: '用时', model: '模型', asked: '请求的是 {{model}}', tokens: '词元', cost: '费用', finish: '结束原因', driver: '沙箱', exitCode: '退出码', attempts: '尝试', attempt: '第 {{attempt}} 次', path: '路径', isNew: '新增', earlier_other: '之前的 {{count}} 条消息',
    role: { user: '用户', assistant: '助手', tool: '工具结果' }, callsTool: '调用', empty: '空', notYet: '尚未产生。', truncated: '输出过长，其余部分已丢弃。', timedOut: '超过时限，已被终止。', worker: '这次尝试期间工作进程丢失。',
    retryIn: '{{delay}}后重试', events: '事件', gone: '运行历史中没有这个条目。', noInstructions: '无', chars: '{{count}} 个字符', finishReason: { stop: '模型自行结束', 'tool-calls': '工具调用', length: '长度上限', 'content-filter': '内容过滤', other: '其他原因' }, payload: '内容', reason: '原因', by: '发送者', outputMax: '输出上限 {{tokens}} 词元', cached: '{{cached}} 来自缓存', stdin: '标准输入', size: '大小', binary: '不是文本。', cwd: '目录 {{path}}', parts: '向提问者展示',
  },
  approvals: { title: '审批', filter: '状态', emptyPending: '没有等待决定的事项', emptyPendingText: '智能体在继续之前需要人来决定时，问题会出现在这里。', empty: '没有审批', toRun: '打开运行', asked: '提出于', none: '没有更多说明。', truth: '{{name}} 作出决定' },
  system: {
    title: '系统', sandbox: '沙箱', driver: '驱动', enforced: '本机强制执行', missing: '缺少', nothingMissing: '没有缺少任何项目。', remedy: '添加方法', languages: '语言', models: '模型', default: '默认模型', available: '可用', offline: '没有配置模型供应商',
    offlineText: '目前由基于规则的替身代替语言模型作答。请设置以下任一变量后重启服务器：', startup: '启动', total: '合计', database: '数据库', embedded: '内置，由服务器启动', external: '外部', version: '版本', key: '你的密钥', permissions: '权限', access: '数据权限', server: '服务器',
    nothingEnforced: '没有强制执行任何限制。',
  },
}
