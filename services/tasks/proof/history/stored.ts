/** What the database knows of tasks, in the words of the history checker. */
import pg from 'pg'
import type { AttemptColumn } from '../../tables.ts'

/** One row of one half. */
export interface Stored {
  task: string
  half: 'hot' | 'cold'
  state: number
  attempt: number
  session: string | null
  /** The ended attempts, oldest first, the last 20. */
  attempts: AttemptColumn[]
}

const pageMax = 10_000

/** Every row of a project in both halves, as of one moment. */
export async function readStored(databaseUrl: string, project: string): Promise<Stored[]> {
  const client = new pg.Client({ connectionString: databaseUrl })
  await client.connect()
  try {
    await client.query('begin isolation level repeatable read read only')
    return [...(await readHalf(client, 'hot', project)), ...(await readHalf(client, 'cold', project))]
  } finally {
    await client.end()
  }
}

async function readHalf(client: pg.Client, half: Stored['half'], project: string): Promise<Stored[]> {
  const table = half === 'hot' ? 'tasks.task' : 'tasks.finished_task'
  await client.query(`declare ${half} no scroll cursor for
    select 'projects/' || project || '/tasks/' || id as task, state, attempt, session_id::text as session, attempts from ${table}
    where project = ${pg.escapeLiteral(project)}`)
  const stored: Stored[] = []
  for (;;) {
    const { rows } = await client.query(`fetch ${pageMax} from ${half}`)
    for (const row of rows) stored.push({ ...row, half })
    if (rows.length < pageMax) return stored
  }
}
