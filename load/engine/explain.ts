import pg from 'pg'

const settings = {
  'auto_explain.log_min_duration': '20ms',
  'auto_explain.log_analyze': 'on',
  // Without it a statement takes about as long as otherwise.
  'auto_explain.log_timing': 'off',
  'auto_explain.log_parameter_max_length': '0',
  'auto_explain.log_buffers': 'on',
  'auto_explain.log_nested_statements': 'on',
  'auto_explain.log_triggers': 'on',
  session_preload_libraries: 'auto_explain',
}

/** Makes PostgreSQL write the plan of each statement over 20 ms to its log. */
export async function explainSlowStatements(url: string): Promise<void> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    // Only a session that has loaded the library knows its settings.
    await client.query("load 'auto_explain'")
    for (const [name, value] of Object.entries(settings)) await client.query(`alter system set ${name} = '${value}'`)
    await client.query('select pg_reload_conf()')
  } finally {
    await client.end()
  }
}
