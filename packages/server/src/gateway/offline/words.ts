// The planner's own vocabulary: how questions are put in English and Chinese. It holds no word of any business.
import type { Unit } from './calendar.ts'

/** What a word of grammar does in a question. */
export type Op =
  | 'by'
  | 'each'
  | 'which'
  | 'list'
  | 'count'
  | 'and'
  | 'or'
  | 'not'
  | 'not-behind'
  | 'only'
  | 'top'
  | 'bottom'
  | 'most'
  | 'least'
  | 'best'
  | 'worst'
  | 'fastest'
  | 'slowest'
  | 'descending'
  | 'ascending'
  | 'versus'
  | 'year-ago'
  | 'previous'
  | 'growth'
  | 'growth-rate'
  | 'difference'
  | 'decline'
  | 'share'
  | 'total'
  | 'combined'
  | 'average'
  | 'trend'
  | 'spread'
  | 'cumulative'
  | 'define'
  | 'as-rate'
  | 'both'
  | 'several'
  | 'as-money'
  | 'respectively'
  | 'per'
  | 'above'
  | 'at-least'
  | 'below'
  | 'at-most'
  | 'at-least-behind'
  | 'at-most-behind'
  | 'between'
  | 'some'
  | 'none'
  | 'about'
  | 'comparative'
  | 'how'
  | 'when'
  | 'of'
  | 'is'
  | 'from'
  | 'with'
  | 'within'
  | 'to'
  | 'than'
  | 'verb-by'
  | 'follow-up'
  | 'refuse-personal'
  | 'refuse-why'
  | 'refuse-write'
  | 'refuse-forecast'
  | 'refuse-statistics'
  | 'refuse-vague'

const ops: Record<Op, string> = {
  by: 'by|broken down by|break down by|breakdown by|broken out by|split by|grouped by|group by|sliced by|segmented by|across|for each|for every|in each|in every|of each|according to|depending on|by each|split across|separated by|divided by|sorted into|按|按照|分|根据|依据|依|以|从',
  each: 'each|every|individual|various|different|respective|all the different|各|各个|每|每个|每一个|每家|每位|每种|不同|不同的|各家|各种|分别按|各大',
  per: 'per|for each|for every|each|every|每|每个|每家|每位|每名|平均每个|平均每',
  which: 'which|what|whose|who|in which|for which|from which|哪个|哪些|哪一个|哪|哪几个|哪几|哪家|哪几家|哪位|哪一|哪种|哪几位|哪类|谁|哪里|何',
  list: 'list|list of|name|enumerate|列出|列举|列一下|名单|清单|列表|罗列|有哪些|都有哪些|是哪些|哪些',
  count:
    'how many|how often|number of|the number of|count of|counts of|count|amount of|quantity of|how much|how much money|what amount of|how big|how large|how high|多少|多少钱|多少个|多少家|多少位|多少名|多少张|多少次|多少条|多少件|多少人|有多少|几个|几家|几位|几张|数量|个数|总数|人数|家数|数目|数|几',
  and: 'and|&|,|、|和|与|及|以及|跟|同|还有|plus|as well as|along with|together with|also|并|且|并且|而且|/|;|；',
  or: 'nor|or|either|或|或者|或是',
  not: "既不是|也不是|既非|也非|but|all but|neither|excluding|exclude|except|except for|without|not|not in|not from|not including|other than|outside|outside of|apart from|aside from|leaving out|but not|non|ignoring|minus|is not|are not|was not|were not|that are not|aren't|isn't|don't|除了|除|除去|除开|不含|不包括|不包含|排除|剔除|去掉|扣除|非|不是|不在|不属于|不算|没有包括|除却",
  'not-behind': '以外|之外|除外|外|不算|不计|excluded|aside|以外的|之外的',
  only: 'only|just|solely|exclusively|仅|只|只看|仅看|只算|仅限',
  top: 'top|leading|biggest|largest|greatest|best|前|排名前|排行前|排在前|top the|头部|最大的|最高的|最多的',
  bottom: 'bottom|smallest|lowest|least|worst|后|倒数|排名后|末尾|垫底|最小的|最低的|最少的',
  most: 'highest|busiest|most|most common|most frequent|most often|commonest|largest|biggest|greatest|maximum|max|peak|peaked|longest|strongest|largest number of|the most|highest number of|largest amount of|richest|heaviest|best selling|highest value of|最高|最多|最大|最长|最强|第一|峰值|高峰|居首|排名第一|排第一|最厉害|最常见|最频繁|最受欢迎',
  least:
    'lowest|least|least common|rarest|least often|fewest|smallest|minimum|min|shortest|weakest|the least|the fewest|lowest number of|smallest number of|最低|最少|最小|最短|最弱|最末|垫底|倒数第一',
  best: 'best|best performing|top performing|strongest performing|最好|最佳|最优|表现最好|表现最佳|最优秀',
  worst: 'worst|worst performing|weakest performing|poorest|最差|最糟|最糟糕|表现最差|最坏|最严重',
  fastest: 'fastest|quickest|most quickly|soonest|最快|最快的',
  slowest: 'slowest|most slowly|最慢|最慢的',
  descending:
    'ranked|rank|ranking|ranked by|sorted by|sort by|sorted|order by|ordered by|ordered|in descending order|descending|from highest to lowest|highest first|largest first|from high to low|from largest to smallest|highest to lowest|largest to smallest|league table|排名|排行|排序|排列|排行榜|从高到低|从大到小|从多到少|由高到低|由大到小|由多到少|降序|倒序|最多的在前|排个序|排个名|从高到低排|从高到低排序|从高到低排列|由高到低排|由高到低排序|由高到低排列|从大到小排|从大到小排序|从大到小排列|从多到少排|从多到少排序|从多到少排列|按从高到低|highest to lowest|in decreasing order|decreasing order|biggest first|most first',
  ascending:
    'in ascending order|ascending|from lowest to highest|lowest first|smallest first|from low to high|lowest to highest|smallest to largest|从低到高|从小到大|从少到多|由低到高|由小到大|升序|从低到高排|从低到高排序|从低到高排列|由低到高排|从小到大排|从小到大排序|从少到多排|fewest first|least first|in increasing order',
  versus:
    'versus|vs|vs.|v.|compared to|compared with|compare to|compare with|comparing|compare|compared|in comparison with|in comparison to|comparison|comparison of|relative to|against|as opposed to|up from|down from|与 相比|相比|相比于|比起|对比|比较|相较|相较于|较|比|同 相比|做对比|作对比|对照',
  'year-ago':
    "year over year|year on year|yoy|y/y|y-o-y|year-over-year|year-on-year|over the year before|versus last year's|from a year earlier|from a year ago|than a year earlier|than a year ago|compared with a year earlier|compared to a year earlier|compared to a year ago|compared with a year ago|versus a year ago|vs a year ago|vs same period last year|the same period last year|same period last year|the same period a year ago|same period a year ago|the same period of last year|the same time last year|same time last year|from the same period last year|annual growth|annual change|annual growth rate|yearly growth|同比|去年同期|上年同期|与去年同期相比|较去年同期|比去年同期|年同比|同比去年",
  previous:
    'month over month|month on month|mom|m/m|month-over-month|quarter over quarter|quarter on quarter|qoq|q/q|q-o-q|quarter-over-quarter|week over week|week on week|wow|day over day|period over period|previous period|the previous period|prior period|the prior period|the period before|the preceding period|from the previous period|over the previous period|sequential|sequentially|the previous one|the one before|the quarter before|the month before|the week before|the year before|quarter before|month before|环比|上期|与上期相比|较上期|上一期|前一期|上一周期|逐月环比',
  growth:
    'growth|grow|grows|grew|grown|growing|growth of|increase|increased|increasing|rise|rose|risen|rising|gain in|change|changed|changes|changing|change in|development of|go up|gone up|went up|improve|improved|improvement|evolve|evolved|增长|增加|增长了|增加了|上升|上涨|提升|提高|变化|变动|涨|涨了|变化了|改善|增减|变了|增长情况|变化情况',
  'growth-rate':
    'growth rate|rate of growth|percentage change|percent change|% change|percentage growth|percent growth|percentage increase|percentage decrease|percent increase|percent decrease|percentage growth of|percentage change in|percentage change of|percent change in|percentage growth in|percentage increase in|percentage decrease in|relative change|in percent terms|增长率|增速|增幅|涨幅|变化率|增长幅度|增长比例|变化幅度|变动率|增长百分比|变化百分比|增长速度',
  difference:
    'difference|difference between|difference in|delta|gap|gap between|absolute change|net change|差|差额|差异|差值|相差|差距|差多少|多多少|差别|净变化',
  decline:
    'decline|declined|declining|decrease|decreased|decreasing|drop|dropped|dropping|fall|fell|fallen|falling|shrink|shrank|shrunk|reduce|reduced|reduction|worsen|worsened|go down|went down|下降|减少|下滑|下跌|降低|减少了|下降了|跌|降幅|缩水|跌幅|恶化',
  share:
    'share|share of|portion|portion of|part of the|percentage|percentage of|percent of|percent|proportion|proportion of|fraction|fraction of|% of|%|pct of|what part of|part of|contribution|contribution of|contribute|contributed|contributes|contribution to|relative share|make up|makes up|made up|account for|accounts for|mix|mix of|composition|makeup|占比|占|比例|比重|百分比|份额|占到|所占|所占比例|所占的比例|构成|贡献|贡献度|贡献率|占总|占总体|占全部|占整体|百分之几|百分之多少',
  total:
    'total|overall|sum|sum of|in total|all|altogether|grand total|whole|entire|aggregate|total of|total number of|in all|总|总共|一共|共|共计|总计|合计|全部|总的|总体|整体|总额|总量|全|所有|所有的|全部的|累积',
  combined: 'combined|together|taken together|in combination|put together|jointly|加起来|加在一起|合起来|之和|合并|合在一起',
  average: 'average|mean|avg|on average|averaged|the average|typical|average of|平均|均值|平均值|平均数|平均来看|平均下来|平均而言',
  trend:
    'trend|trends|develop|develops|developed|evolve|evolves|over time|history|historical|evolution|time series|trending|development|trajectory|progression|trended|evolved over|has developed|趋势|走势|变化趋势|历史|时间序列|发展|演变|走向|历史趋势|趋势图|走势图|曲线',
  spread:
    'breakdown|distribution|split|broken down|spread|break down|breakdown of|distributed|by category of|detail|detailed|细分|分布|拆分|拆解|划分|明细|分解|分组|维度|统计|分类|归类|分布情况|汇总|维度拆分',
  cumulative: 'cumulative|cumulatively|running total|accumulated|running sum|逐月累计|累计值|累计曲线',
  define:
    'what does mean|definition|definition of|define|defined|meaning|meaning of|mean by|how is calculated|calculated|calculate|how do you calculate|computed|什么是|是什么意思|什么意思|定义|含义|怎么算|如何计算|怎么计算|口径|计算方法|计算方式|计算公式|如何定义|怎么定义|怎么算的|指的是什么|是指什么',
  several: 'multiple|several|many different|more than one|多个|多种|多款|多家|不止一个|不止一种|不止一款|一个以上|一款以上|一种以上',
  both: 'both|both of|at the same time|simultaneously|同时|两者都|两个都|都有',
  'as-money': 'amount|amounts|dollar amount|dollar value|金额|总金额|worth|value of|worth of|size|sizes',
  'as-rate': 'rate|rates|the rate|as a rate|just the rate|比率',
  respectively: 'respectively|separately|individually|each|side by side|分别|各自|分开|各是|各有|各为|分别是',
  above:
    'more than|over|above|greater than|exceeding|exceed|exceeds|exceeded|higher than|larger than|bigger than|in excess of|longer than|upwards of|>|大于|超过|多于|高于|超出|超|长于|不止',
  'at-least': 'at least|no less than|not less than|no fewer than|minimum of|a minimum of|>=|≥|至少|不少于|不低于|不小于|起码|大于等于|达到|不短于',
  below: 'less than|fewer than|under|below|lower than|smaller than|shorter than|<|小于|少于|低于|不足|不到|短于|未达',
  'at-most': 'at most|no more than|not more than|up to|maximum of|a maximum of|<=|≤|至多|最多|不超过|不多于|不高于|不大于|小于等于|不长于',
  'at-least-behind': 'or more|and more|or above|and above|and up|or higher|plus|以上|及以上|或以上|及其以上|以上的',
  'at-most-behind': 'or less|or fewer|or below|and below|or lower|以下|及以下|或以下|以内|之内|以下的',
  between: 'between|in the range|介于|之间|区间',
  some: 'any|at least one|一些|有过',
  none: 'no|zero|never|没有|无|从未|从没|未',
  of: 'of|times|的|之|in terms of',
  is: 'is|are|was|were|be|been|being|equal|equals|=|:|是|为|属于|等于|came|come|comes|belong|belongs',
  from: 'from|通过|经由|through|via|came through|came via|by way of|come from|comes from|came from|coming from|due to|because of|owing to|on account of|stem from|stems from|attributable to|generated by|来自|来自于|出自|由|因|因为|由于',
  with: 'with|where|pay|pays|having|have|has|had|that have|that has|who have|that had|who had|whose|带有|具有|拥有|有',
  within: 'in|within|among|amongst|for|at|on|into|out of|中|里|内|当中|里面|之中|在|于|对|对于|就|中的|里的|内的',
  to: 'to|到|至',
  than: 'than',
  'verb-by':
    'managed by|owned by|handled by|assigned to|looked after by|run by|answered by|resolved by|responsible for|manage|manages|handle|handles|look after|looks after|oversee|oversees|in charge of|take care of|takes care of|负责的|负责|管理的|处理的|跟进的|名下的|名下',
  when: 'when|when did|when was|when were|什么时候|何时|哪个时候',
  about: 'about|regarding|concerning|related to|with regard to|with respect to|on the topic of|mentioning|关于|有关|涉及',
  comparative: 'more|fewer|higher|lower|less|greater|larger|bigger|better|worse|多了|少了|高了|低了|多|少|高|低|高出|更多|更少|更高|更低',
  how: 'how|how do|how does|how did|how can|how to|怎么|怎样|如何',
  'follow-up': 'what about|how about|and what about|and|now|same for|the same for|那|那么|换成|呢|同样',
  'refuse-personal':
    'email address|e-mail address|mail address|phone number|telephone number|mobile number|mobile phone|contact details|contact detail|first name|last name|full name|home address|birthday|billing email|邮箱|电子邮箱|邮箱地址|邮件地址|手机号|手机号码|手机|电话号码|联系方式是什么|姓名和电话|生日|住址',
  'refuse-why':
    'why|how come|what caused|what causes|what is causing|what drove|what drives|what explains|explain|reason why|reasons why|root cause|为什么|为何|原因是什么|是什么原因|什么原因|怎么回事|何以|缘故|为啥',
  'refuse-write':
    'delete|update|insert|modify|drop table|truncate|alter|create|overwrite|edit|set all|remove all|write|send|email to|book|schedule|cancel all|删除|修改|更新|写入|插入|清空|发送|新建一个|写一|撰写|改成|改为|删掉',
  'refuse-forecast':
    'might|may|could|would|if we|if i|what if|forecast|forecasted|predict|predicted|prediction|projected|projection|will|expect|expected|going to|next|upcoming|future|tomorrow|should|预测|预计|将会|未来|下一|明天|会不会|可能|如果|假如|应该|预期|下个|下季|下周|下月',
  'refuse-statistics':
    '中位|median|percentile|quartile|correlation|correlate|correlated|regression|variance|deviation|significant|significance|cohort|cohorts|seasonality|anomaly|anomalies|outlier|outliers|中位数|分位数|相关性|回归|方差|标准差|显著|同期群|异常|季节性|众数',
  'refuse-vague':
    '个人|种类|条件|名额|地位|作用|家人|名人|地段|人家|用人|where do|where are|where is|where does|recommend|advice|advise|suggest|improve our|strategy|opinion|good|bad|healthy|enough|worry|concerned|建议|策略|看法|好不好|怎么办|如何提高|如何改善|如何降低|怎样提高|健康',
}

/** Words that carry nothing: their loss changes no answer. */
const fillers =
  "the|a|an|until|gimme|pls|plz|thx|btw|hey there|hows|whats|looking|doing on|we doing|doing|distinct|unique|in hours|in days|in percent|in percentage terms|can you|could you|can i|can we|could i|could we|would you|would be|would like|i want|we want|i need|we need|need to|want to|like to|to know|curious|wondering|look at|looking at|looking for|look like|which one|our business|of business|the business|how is|how was|how are|how were|how has|how have|this time|i'd|i'm|i've|we've|we're|we'd|let's|you're|they've|they're|our|ours|we|us|you|your|i|me|my|it|its|they|them|their|theirs|this|that|these|those|there|here|do|does|did|done|please|kindly|show|tell|give|get|got|let|see|know|display|present|provide|find|pull|fetch|calculate for|" +
  'so|then|now then|ok|okay|hi|hello|hey|thanks|thank|if|as|also|again|still|yet|already|currently have|exactly|actually|really|roughly|approximately|around|just|all of|' +
  'value|values|figure|figures|number|numbers|data|level|levels|metric|metrics|kpi|result|results|visualize|visualise|draw|bar chart|line chart|pie chart|as a chart|in a chart|a chart of|chart of|chart for|a chart for|chart showing|a chart|a graph|a graph of|graph of|plot the|plot our|plot a|a plot of|plot of|a table|a table of|table of|as a table|in a table|report on|a report on|a view of|overview|summary|summarize|' +
  'have|has|had|having|be|been|being|am|make|made|bring|brought|generate|generated|earn|earned|come in|came in|record|recorded|reach|reached|stand|stood|sit|amount to|amounted to|happen|happened|occur|occurred|exist|existed|perform|performed|performing|take|takes|took|taken|accounted for|represent|represented|based|located|headquartered|' +
  'what|who|whom|term|terms|case of|using|use of|along|per se|dimension|period|period of|day by day|month by month|it was|ever since|during|throughout|over|in|on|at|for|to|of|by|with|than|currency|usd|dollars|dollar|in usd|in dollars|sized|size of|?|!|.|"|\'|(|)|-|:|…|*|#|[|]|' +
  '我们|我|你|您|咱们|请|请问|帮我|帮|给我|给|麻烦|想|想知道|想看|想看看|想了解|需要|看|看看|看一下|查|查一下|查询|查看|告诉我|告诉|显示|展示|一下|下|的|了|吗|呢|啊|吧|呀|嘛|是|有|在|为|于|就|都|也|还|又|再|而|则|且|之|其|该|此|这|那|这些|那些|这个|那个|它|它们|他们|什么|怎么样|情况|数据|数值|数字|值|总额|额|量|指标|结果|大概|提交|提出|发起|创建|大约|大致|具体|目前为止|到底|究竟|能|能否|可以|可否|是否|得|地|着|过|做|作|进行|得到|产生|发生|达到|出现|实现|完成|取得|录得|时|时候|期间|这段时间|时间段|时期|段|内|中|里|上|当中|个|名|家|位|种|条|张|次|件|款|份|人|只|元|美元|美金|图|图表|表|表格|柱状图|折线图|饼图|画|画出|画个|用|以|把|将|被|由|从|对|对于|方面|来看|来说|而言|后|，|。|？|！|；|：|“|”|（|）|《|》|整体情况|水平|表现|公司的|我司|公司目前|获得|获取|带来|赢得|拿到|收到|给出|贵公司|占用|使用|类|打开'

/** Grains: what a bucket of time is called. */
const grains: Record<Unit, string> = {
  day: 'daily|per day|each day|every day|by day|day by day|days|day|on a daily basis|a day|每天|每日|按天|按日|逐日|日|天|各天|日度|分天|哪天|哪一天|哪日|每一天',
  week: 'weekly|per week|each week|every week|by week|week by week|weeks|week|on a weekly basis|a week|每周|按周|逐周|周|各周|周度|分周|每星期|哪周|哪一周|哪个星期|星期',
  month:
    'monthly|per month|each month|every month|by month|month by month|months|month|on a monthly basis|a month|by calendar month|calendar month|month end|end of each month|end of every month|at the end of each month|at the end of every month|at each month end|每月|每个月|按月|逐月|月|月份|各月|月度|分月|按月份|每月末|每月底|各月末|各月底|哪月|哪个月|哪一个月|几月|每个月末|每个月底|各月份|分月份|个月',
  quarter:
    'quarterly|per quarter|each quarter|every quarter|by quarter|quarter by quarter|quarters|quarter|on a quarterly basis|a quarter|fiscal quarter|by fiscal quarter|end of each quarter|end of every quarter|at the end of each quarter|at the end of every quarter|at the end of each fiscal quarter|end of each fiscal quarter|quarter end|每季度|每季|每个季度|按季度|按季|逐季|逐季度|季度|季|各季度|各季|分季度|各个季度|哪个季度|哪季度|哪季|哪一个季度|每季末|各季末|每季度末|财季|按财季|各财季|每个财季|哪个财季',
  half: 'half yearly|half-yearly|semiannual|semi-annual|by half|by half year|per half year|half years|每半年|按半年',
  year: 'yearly|annually|per year|each year|every year|by year|year by year|years|year|annual|a year|fiscal year|by fiscal year|per fiscal year|each fiscal year|end of each year|end of every year|at the end of each year|at the end of every year|end of each fiscal year|at the end of each fiscal year|every fiscal year|每年|按年|逐年|年|各年|年度|按年度|分年|各年度|每年度|哪年|哪一年|财年|按财年|各财年|每财年|每个财年|哪个财年|年份',
}

export type Grain = { unit: Unit; calendar: boolean }

/** Of phrases like 月均 and "daily average": an average over such units. */
const averages: Partial<Record<Unit, string>> = {
  day: '日均|平均每天|平均每日|每日平均|每天平均|daily average|average daily|average per day|on an average day|average a day|per day on average|a day on average|mean daily',
  week: '周均|平均每周|每周平均|weekly average|average weekly|average per week|per week on average|mean weekly',
  month:
    '月均|平均每月|平均每个月|每月平均|每个月平均|平均月度|月平均|monthly average|average monthly|average per month|per month on average|a month on average|mean monthly',
  quarter: '季均|平均每季度|平均每个季度|平均每季|每季度平均|quarterly average|average quarterly|average per quarter|per quarter on average|mean quarterly',
  year: '年均|平均每年|每年平均|yearly average|average yearly|average per year|average annual|annual average|mean annual',
}

/** Moments without a date, and all of time. */
export const nowPhrases =
  'now|right now|currently|current|latest|most recent|at present|at the moment|presently|as of now|as of today|to date|nowadays|these days|今|目前|当前|现在|如今|现有|现时|截至目前|截止目前|截至今天|截至今日|到目前为止|最新|现阶段|眼下|至今'.split(
    '|',
  )
export const everPhrases =
  'ever|of all time|all time|all-time|since the beginning|since inception|in history|to this day|有史以来|历史上|迄今为止|历来|一直以来|自成立以来'.split('|')

const split = (phrases: string): string[] => phrases.split('|').filter((phrase) => phrase !== '')
const entriesOf = <Key extends string>(table: Partial<Record<Key, string>>) =>
  (Object.entries(table) as [Key, string][]).flatMap(([key, phrases]) => split(phrases).map((phrase) => ({ key, phrase })))

export const opPhrases: readonly { key: Op; phrase: string }[] = entriesOf(ops)
export const fillerPhrases: readonly string[] = [...split(fillers), '|']
export const grainPhrases: readonly { key: Unit; phrase: string; calendar?: boolean }[] = [
  ...entriesOf(grains),
  ...chineseEnds(),
  ...['calendar quarter', 'by calendar quarter', '自然季度', '按自然季度', '各自然季度'].map((phrase) => ({ key: 'quarter' as const, phrase, calendar: true })),
  ...['calendar year', 'by calendar year', '自然年', '按自然年', '各自然年'].map((phrase) => ({ key: 'year' as const, phrase, calendar: true })),
]
export const averagePhrases: readonly { key: Unit; phrase: string }[] = entriesOf(averages)

/** 每个季度末, 各月月底: the ends of such units are what a state is taken at anyway. */
function chineseEnds(): { key: Unit; phrase: string }[] {
  const units: Partial<Record<Unit, [names: string[], ends: string[]]>> = {
    month: [
      ['月', '个月', '月份', '个月份'],
      ['末', '底', '月末', '月底'],
    ],
    quarter: [
      ['季', '季度', '个季', '个季度', '财季', '个财季'],
      ['末', '底', '季末', '季度末', '期末', '结束时'],
    ],
    year: [
      ['年', '年度', '财年', '个财年'],
      ['末', '底', '年末', '年底', '期末', '结束时'],
    ],
  }
  return (Object.entries(units) as [Unit, [string[], string[]]][]).flatMap(([key, [names, ends]]) =>
    ['每', '各', '逐'].flatMap((lead) => names.flatMap((name) => ends.map((end) => ({ key, phrase: lead + name + end })))),
  )
}

/** Verbs that mean much the same wherever tickets, orders or customers are spoken of. Used when nothing closer is known. */
export const likeVerbs: readonly (readonly string[])[] = [
  ['lose', 'churn', 'leave', 'cancel', 'quit'],
  ['win', 'acquire', 'gain', 'sign', 'add', 'land', 'won'],
  ['open', 'create', 'raise', 'submit', 'file', 'log', 'receive', 'report'],
  ['resolve', 'solve', 'close', 'fix', 'settle'],
  ['issue', 'send'],
  ['begin', 'start'],
]

export const likeChinese: readonly (readonly string[])[] = [
  ['流失', '失去', '丢失', '走掉'],
  ['新增', '新签', '新来', '新获得', '开始', '新开始'],
  ['有效', '活跃', '生效', '在用'],
  ['解决', '已解决', '关闭', '处理完'],
  ['未解决', '未关闭', '待处理', '没解决', '没有解决', '还没解决', '没有关闭', '尚未解决'],
]
