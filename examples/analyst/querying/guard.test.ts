import { DuckDBInstance, type DuckDBConnection } from '@duckdb/node-api'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { inspect } from './guard.ts'

const tables = new Set(['accounts', 'people', 'usage_daily'])
let connection: DuckDBConnection
beforeAll(async () => {
  connection = await (await DuckDBInstance.create(':memory:')).connect()
})
afterAll(() => connection.closeSync())

const judge = (sql: string) => inspect(connection, sql, tables, '2026-11-18')

describe('what an analyst writes is let through', () => {
  const queries = [
    'select 1',
    'select * from accounts',
    'from accounts select count(*)',
    'select * from accounts;',
    "select region, count(*) filter (where status = 'customer') as n from accounts group by all order by n desc limit 10 -- the largest",
    'with a as (select * from accounts), b as (select * from a) select count(*) from a join b using (account_id)',
    'with recursive n(i) as (select 1 union all select i + 1 from n where i < 12) select * from n',
    "with days as (select last_day(m::date) as d from generate_series(date '2025-11-01', date '2026-10-01', interval 1 month) as s(m)) select d from days",
    'select * from (select region from accounts union all select role from people) as u(x) where x is not null',
    'select a.region, row_number() over (partition by a.region order by a.account_id desc) as r, lag(a.status) over (order by a.account_id) from accounts a qualify r <= 3',
    "select date_trunc('month', used_on) as m, 100.0 * sum(failed_events) / nullif(sum(events), 0) from usage_daily where used_on between date '2026-01-01' and date '2026-03-31' group by 1",
    "select 'FY' || year(used_on + interval 11 month) || ' Q' || quarter(used_on + interval 11 month) as q, avg(events) from usage_daily group by 1 having count(*) > 3",
    "select case when region in ('Europe', 'Asia Pacific') then 'east' else 'west' end, median(employees_count), quantile_cont(employees_count, 0.9) from accounts group by 1",
    "select * exclude (account_id) from accounts where account_name ilike '%oak%' and not (channel = 'direct')",
    'select accounts.region from accounts where exists (select 1 from people where people.account_id = accounts.account_id)',
    "select extract(year from used_on), strftime(used_on, '%Y-%m'), cast(events as double), try_cast(events as varchar), date_diff('day', used_on, date '2026-11-17') from usage_daily",
    'select grouping(region), region, count(distinct country) from accounts group by rollup (region)',
    'select region as 地区, count(*) as 客户数 from accounts group by 1',
    'with 各地区 as (select region from accounts) select * from 各地区',
    'values (1, 2), (3, 4)',
    'select unnest([1, 2, 3]) as n',
    'select * from accounts asof join people on accounts.customer_since >= people.created_on',
    'select count(*) from accounts tablesample 10 percent (system, 7)',
    // A with-query may be called like a table: inside it, the name still means the table.
    "with accounts as (select * from accounts where region = 'Europe') select count(*) from accounts",
  ]
  test.each(queries)('%s', async (sql) => expect(await judge(sql)).toMatchObject({ ok: true }))
})

describe('what is not one SELECT over the tables is refused', () => {
  /** Each with the reason that must be given: refused by chance is not guarded. */
  const attacks: Record<string, { because: RegExp; texts: string[] }> = {
    'other statements': {
      because: /Only a SELECT|SHOW, DESCRIBE|not allowed here: PIVOT/,
      texts: [
        'delete from accounts',
        'insert into accounts values (1)',
        "update accounts set region = 'x'",
        'drop table accounts',
        'create table x as select 1',
        'create temp table x as select 1',
        'create view v as select 1',
        'create macro m() as 1',
        'alter table accounts add column x int',
        'truncate accounts',
        "copy accounts to '/tmp/x.csv'",
        "copy accounts from '/etc/passwd'",
        "export database '/tmp/x'",
        "import database '/tmp/x'",
        "attach '/tmp/x.duckdb' as x",
        'detach x',
        'use memory',
        'set threads = 1',
        'reset threads',
        'set variable x = 1',
        'pragma database_list',
        'pragma version',
        'call pragma_version()',
        'install httpfs',
        'load httpfs',
        'begin',
        'commit',
        'checkpoint',
        'vacuum',
        'explain select 1',
        'explain analyze select 1',
        'prepare p as select 1',
        'execute p',
        'deallocate p',
        'show tables',
        'describe accounts',
        'summarize accounts',
        'show all tables',
        'from (describe accounts)',
        'select * from (show tables)',
        'select * from (summarize accounts)',
        'merge into accounts using people on true when matched then delete',
        "comment on table accounts is 'x'",
        "create secret (type s3, key_id 'x')",
        'analyze',
        'pivot accounts on region using count(*)',
        'unpivot accounts on region into name n value v',
        'select * from (pivot accounts on region using count(*))',
      ],
    },
    'several statements': {
      because: /Only one statement|Only a SELECT|no statement/,
      texts: ['select 1; select 2', 'select 1; drop table accounts', 'select 1;; delete from accounts', 'select 1; -- x\n select 2', ''],
    },
    'statements inside others': {
      because: /A CTE needs a SELECT|syntax error/,
      texts: [
        'with x as (delete from accounts returning *) select * from x',
        'with x as (insert into accounts values (1) returning *) select 1',
        'select (delete from accounts)',
      ],
    },
    'files and the network': {
      because: /The table function "\w+" is not allowed|There is no table/,
      texts: [
        "select * from read_csv('/etc/passwd')",
        "select * from read_csv_auto('/etc/passwd')",
        "select * from read_text('/etc/passwd')",
        "select * from read_blob('/etc/passwd')",
        "select * from read_parquet('x')",
        "select * from read_json('x')",
        "select * from read_json_auto('x')",
        "select * from read_ndjson('x')",
        "select * from glob('/*')",
        "select * from '/etc/passwd'",
        "select * from 'x.csv'",
        'select * from "x.parquet"',
        "select * from 'https://example.com/x.csv'",
        "select * from parquet_scan('x')",
        "select * from parquet_metadata('x')",
        "select * from sniff_csv('x')",
        "select * from read_duckdb('x')",
        "select content from read_text('/proc/self/environ')",
        "with x as (select * from read_text('/etc/passwd')) select * from x",
        "select (select content from read_text('/etc/passwd'))",
        "select * from accounts where region in (select content from read_text('/etc/passwd'))",
        "select * from accounts join read_text('/etc/passwd') on true",
        "select * from accounts, lateral (select * from read_text('/etc/passwd'))",
        "select 1 union all select content from read_text('/etc/passwd')",
        "select sum(1) over (order by (select content from read_text('/etc/passwd')))",
        "select 1 order by (select content from read_text('/etc/passwd'))",
        "select 1 limit (select length(content) from read_text('/etc/passwd'))",
        "select count(*) filter (where (select true from read_text('/etc/passwd'))) from accounts",
        "select case when (select true from read_text('x')) then 1 end",
        "select * replace ((select content from read_text('x')) as region) from accounts",
        "values ((select content from read_text('x')))",
        "select list_sort([(select content from read_text('x'))])",
        "select 1 group by (select content from read_text('x'))",
        "select 1 having (select true from read_text('x'))",
        "select 1 qualify (select true from read_text('x'))",
      ],
    },
    'text run as SQL': {
      because: /function "\w+" is not allowed/,
      texts: [
        "select * from query('select 1')",
        "select * from query_table('accounts')",
        "select * from json_execute_serialized_sql('{}')",
        "select json_serialize_sql('select 1')",
        "select * from sql_auto_complete('s')",
      ],
    },
    'catalogue and settings': {
      because: /function "\w+" is not allowed|There is no table|without a schema|"\w+" is not allowed here/,
      texts: [
        'select * from information_schema.tables',
        'select * from sqlite_master',
        'select * from main.sqlite_master',
        'select * from duckdb_tables()',
        'select * from duckdb_settings()',
        'select * from duckdb_secrets()',
        'select * from duckdb_tables',
        'select * from duckdb_columns',
        'select * from pg_catalog.pg_tables',
        'select * from pg_tables',
        "select * from pragma_table_info('accounts')",
        'select * from pragma_database_list',
        "select current_setting('threads')",
        "select getenv('HOME')",
        "select getvariable('x')",
        'select current_database()',
        'select current_schemas(true)',
        'select current_user',
        'select session_user',
        'select current_catalog',
        'select version()',
        'select pg_typeof(1)',
        'select * from duckdb_memory()',
        'select * from duckdb_temporary_files()',
        "select nextval('s')",
        'select txid_current()',
        'select * from duckdb_logs',
        "select write_log('x')",
        'select * from test_all_types()',
      ],
    },
    'tables of other names, schemas and times': {
      because: /There is no table|without a schema|AT is not allowed/,
      texts: [
        'select * from secrets',
        'select * from main.accounts',
        'select * from memory.accounts',
        'select * from memory.main.accounts',
        'select * from system.main.accounts',
        'select * from temp.accounts',
        'select * from accounts at (version => 1)',
        'select * from "accounts "',
        'select * from people2',
      ],
    },
    // The inner name is not the with-query's own, so it would be the catalogue's.
    'with-queries that hide another table': {
      because: /There is no table|may not be called|without a schema/,
      texts: [
        'with sqlite_master as (select * from sqlite_master) select * from sqlite_master',
        'with secrets as (select * from secrets) select * from secrets',
        'with x as (select * from y), y as (select 1) select * from x',
        'select * from x, (with x as (select 1) select * from x) z',
        'with duckdb_settings as (select 1) select * from duckdb_settings',
        'with "a.csv" as (select 1) select 1',
        'with recursive secrets as (select * from secrets union all select 1) select * from secrets',
        'select (with s as (select 1) select 1 from s) from s',
        'with x as (select 1) select * from y.x',
      ],
    },
    'the clock and chance': {
      because: /There is no clock here|is not allowed here/,
      texts: [
        'select current_date',
        'select now()',
        'select today()',
        'select current_timestamp',
        'select localtimestamp',
        'select get_current_time()',
        'select random()',
        'select uuid()',
        'select gen_random_uuid()',
        'select setseed(0.1)',
      ],
    },
    'text without end': {
      because: /The function "\w+" is not allowed/,
      texts: [
        "select repeat('x', 1000000000)",
        "select lpad('x', 1000000000, 'y')",
        "select rpad('x', 1000000000, 'y')",
        "select printf('%1000000000d', 1)",
        "select format('{:1000000000}', 1)",
        "select ('x').repeat(1000)",
      ],
    },
    'functions by another way': {
      because: /function "\w+" is not allowed|without a schema|There is no type|Parameters have no values/,
      texts: [
        "select main.read_text('x')",
        "select system.main.getenv('HOME')",
        'select pg_catalog.version()',
        "select ('HOME').getenv()",
        'select list_transform([1], lambda x: x + 1)',
        "select list_aggregate([1], 'sum')",
        "select [getenv(x) for x in ['HOME']]",
        'select apply([1], lambda x: x)',
        'select 1::json',
        "select 'accounts'::regclass",
        'select * from range(10), duckdb_settings()',
        "select sum(getenv('HOME')::int) over ()",
        "select error('x')",
        'select sleep_ms(10000)',
        "select * from accounts order by getenv('HOME')",
        'select $1',
        'select ?',
        'select $x',
      ],
    },
    'bytes that cut the text short': {
      because: /control characters|longer than/,
      texts: ['select 1\0; drop table accounts', 'select 1 \u0008', `select ${'1 + '.repeat(6_000)}1`],
    },
  }
  for (const [kind, { because, texts }] of Object.entries(attacks)) {
    describe(kind, () => {
      test.each(texts)('%j', async (sql) => expect(await judge(sql)).toMatchObject({ ok: false, message: expect.stringMatching(because) }))
    })
  }
})

/** Each as long as a query may be, and nested as deep as that allows: none may end the process. */
const deep: [string, string][] = [
  ['sums', `select 1${'+1'.repeat(9_990)}`],
  ['negations', `select ${'not '.repeat(4_990)}true`],
  ['subqueries', `select ${'(select '.repeat(1_900)}1${')'.repeat(1_900)}`],
  ['calls', `select ${'abs('.repeat(3_900)}1${')'.repeat(3_900)}`],
  ['lists', `select ${'['.repeat(9_900)}${']'.repeat(9_900)}`],
  ['tables', `select * from accounts${',accounts'.repeat(2_100)}`],
]
test.each(deep)('%s nested without end are an error like any other', async (_, sql) => {
  expect(await judge(sql)).toMatchObject({ ok: false, kind: 'sql', message: expect.stringContaining('expression depth') })
})

test('a syntax error is told as one, so that the model can correct it', async () => {
  expect(await judge('selct 1')).toMatchObject({ ok: false, kind: 'sql', message: expect.stringContaining('syntax error') })
})

test('a refusal says what to do instead', async () => {
  expect(await judge('select current_date')).toMatchObject({ kind: 'refused', message: expect.stringContaining("date '2026-11-18'") })
  expect(await judge('select * from customers')).toMatchObject({
    kind: 'refused',
    message: expect.stringContaining('The tables are: accounts, people, usage_daily.'),
  })
})

test('the columns that a query mentions are known, wherever they stand', async () => {
  const verdict = await judge(
    'select max(p.phone) from people p join accounts a on a.account_id = p.account_id where a.region in (select email from people) order by Full_Name',
  )
  expect(verdict.ok && [...verdict.columnNames]).toEqual(expect.arrayContaining(['phone', 'account_id', 'region', 'email', 'full_name']))
})
