/**
 * The functions that a query may call: those that compute a value from its arguments and nothing else. What is missing here is refused, so a function that
 * a later DuckDB adds is refused too. Left out on purpose: whatever reads settings, variables, files, the catalogue or the clock, draws random numbers, runs
 * text as SQL, or makes a text of any length from a few letters (repeat, lpad, rpad, format, printf).
 */
export const allowedFunctions: ReadonlySet<string> = new Set(
  [
    // Operators
    '+ - * / // % ^ ** || & | << >> ~ @ ! ~~ !~~ ~~* !~~* ~~~ ^@ add subtract multiply divide mod',
    // Aggregates
    'count count_star count_if countif sum fsum sumkahan kahan_sum avg mean min max min_by max_by arg_min arg_max argmin argmax first last any_value arbitrary median mode',
    'quantile quantile_cont quantile_disc percentile_cont percentile_disc approx_count_distinct approx_quantile stddev stddev_pop stddev_samp variance var_pop var_samp',
    'corr covar_pop covar_samp regr_slope regr_intercept regr_r2 regr_count skewness kurtosis entropy mad product geomean geometric_mean bool_and bool_or bit_and bit_or string_agg listagg group_concat',
    // Windows
    'row_number rank dense_rank percent_rank cume_dist ntile lag lead first_value last_value nth_value',
    // Numbers
    'abs ceil ceiling floor round round_even trunc sign sqrt cbrt exp ln log log2 log10 pow power greatest least isnan isinf isfinite nullif ifnull coalesce if fdiv fmod pi',
    // Dates
    'date_trunc datetrunc date_part datepart date_diff datediff date_sub datesub date_add dateadd year month day quarter week weekday weekofyear yearweek isoyear isodow dayofweek dayofmonth dayofyear',
    'dayname monthname hour minute second last_day make_date make_timestamp strftime strptime try_strptime epoch epoch_ms julian age time_bucket',
    'to_years to_quarters to_months to_weeks to_days to_hours to_minutes to_seconds',
    // Text
    'concat concat_ws lower upper lcase ucase length len strlen trim ltrim rtrim left right substring substr replace split_part contains starts_with prefix ends_with suffix instr strpos position reverse',
    'ascii chr like_escape ilike_escape not_like_escape not_ilike_escape regexp_matches regexp_full_match regexp_extract regexp_replace levenshtein jaro_winkler_similarity',
    // Lists that are taken apart again
    'list_value list_contains list_position array_length list_extract list_element array_extract unnest list array_agg list_sort list_distinct array_to_string row struct_pack struct_extract generate_series range',
  ].flatMap((line) => line.split(' ')),
)

/** Functions that may stand where a table does. */
export const allowedTableFunctions: ReadonlySet<string> = new Set(['generate_series', 'range', 'unnest'])

/** Names without brackets that DuckDB takes for functions when no column is called so. */
export const clockWords: ReadonlySet<string> = new Set(['current_date', 'current_time', 'current_timestamp', 'localtime', 'localtimestamp'])
export const sessionWords: ReadonlySet<string> = new Set(['current_user', 'current_role', 'current_catalog', 'current_schema', 'session_user', 'user'])
export const clockFunctions: ReadonlySet<string> = new Set([
  'now',
  'today',
  'get_current_time',
  'get_current_timestamp',
  'transaction_timestamp',
  'current_localtime',
  'current_localtimestamp',
  'clock_timestamp',
])
