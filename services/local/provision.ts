import pg from 'pg'

/** The components that own a schema, and thereby a login role. */
export const databaseComponents = ['tasks', 'accounts', 'notifications'] as const
export type DatabaseComponent = (typeof databaseComponents)[number]

const connectionsMax = 40

/**
 * Makes sure that each component has its login role and its schema in this PostgreSQL, and gives the URL for each.
 *
 * The role `flowforge_<component>` owns the schema `<component>` and nothing else. Works on a database of one's own too,
 * where the given user needs CREATEROLE, and CREATE on the database; refused with one line when it has not. Of two that do
 * it in one database at the same time the second waits for the first.
 */
export async function provision(
  url: string,
  passwordOf: (role: string) => string,
): Promise<Record<DatabaseComponent, string>> {
  const client = await connect(url)
  try {
    await assertAllowed(client, url)
    const urls: Partial<Record<DatabaseComponent, string>> = {}
    await client.query('begin')
    await client.query(`select pg_advisory_xact_lock(hashtext('flowforge provision'))`)
    for (const component of databaseComponents) {
      const role = `flowforge_${component}`
      await provisionComponent(client, component, role, passwordOf(role))
      urls[component] = urlFor(url, role, passwordOf(role))
    }
    await client.query('commit')
    return urls as Record<DatabaseComponent, string>
  } finally {
    await client.end()
  }
}

/** Makes the database of this name unless it is there, and gives its URL. */
export async function createDatabase(url: string, name: string): Promise<string> {
  const client = await connect(url)
  try {
    const { rowCount } = await client.query('select from pg_database where datname = $1', [name])
    if (rowCount === 0) await client.query(`create database ${pg.escapeIdentifier(name)}`)
    // Only the roles that provision() lets in may connect.
    await client.query(`revoke all on database ${pg.escapeIdentifier(name)} from public`)
  } finally {
    await client.end()
  }
  const result = new URL(url)
  result.pathname = `/${name}`
  return result.href
}

async function provisionComponent(client: pg.Client, schema: string, role: string, password: string): Promise<void> {
  const name = pg.escapeIdentifier(role)
  const { rowCount } = await client.query('select from pg_roles where rolname = $1', [role])
  if (rowCount === 0) await client.query(`create role ${name}`)
  await client.query(
    `alter role ${name} with login connection limit ${connectionsMax} password ${pg.escapeLiteral(password)}`,
  )
  await client.query(`alter role ${name} set search_path = ${pg.escapeIdentifier(schema)}`)
  // Whoever is not a superuser may give a schema only to a role that it is a member of.
  await client.query(`grant ${name} to current_user`)
  await client.query(`create schema if not exists ${pg.escapeIdentifier(schema)} authorization ${name}`)
  const { rows } = await client.query('select quote_ident(current_database()) as database')
  await client.query(`grant connect, temporary on database ${rows[0].database} to ${name}`)
}

async function connect(url: string): Promise<pg.Client> {
  const client = new pg.Client({
    connectionString: url,
    connectionTimeoutMillis: 10_000,
    application_name: 'flowforge-launcher',
  })
  try {
    await client.connect()
    return client
  } catch (cause) {
    throw new Error(`the database at ${withoutPassword(url)} cannot be reached: ${(cause as Error).message}`, { cause })
  }
}

async function assertAllowed(client: pg.Client, url: string): Promise<void> {
  const { rows } = await client.query(
    `select rolsuper or rolcreaterole as roles, has_database_privilege(current_database(), 'CREATE') as schemas
       from pg_roles where rolname = current_user`,
  )
  const missing = [rows[0].roles ? '' : 'CREATEROLE', rows[0].schemas ? '' : 'CREATE on the database'].filter(Boolean)
  if (missing.length > 0)
    throw new Error(
      `the user of ${withoutPassword(url)} needs ${missing.join(' and ')} to make the services' roles and schemas`,
    )
}

function urlFor(url: string, role: string, password: string): string {
  const result = new URL(url)
  result.username = role
  result.password = password
  return result.href
}

function withoutPassword(url: string): string {
  const result = new URL(url)
  result.password = ''
  return result.href
}
