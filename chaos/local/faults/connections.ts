/** What other users of the same PostgreSQL may do to it. */
import pg from 'pg'
import type { Fault } from '../../fault.ts'
import { forMs, type Scene } from '../scene.ts'

type Terminate = Extract<Fault, { kind: 'terminateConnections' }>
type Hold = Extract<Fault, { kind: 'holdConnections' }>

/** Ends connections of the services, chosen at random, as a failing pooler or an eager administrator does. */
export async function terminateConnections({ perSecond, forMs: durationMs }: Terminate, scene: Scene): Promise<void> {
  const client = await connect(scene.system.databaseUrl)
  let ended = 0
  try {
    const times = Math.round((perSecond * durationMs) / 1_000)
    for (let time = 0; time < times && !scene.signal.aborted; time++) {
      const { rowCount } = await client.query(
        `select pg_terminate_backend(pid) from
           (select pid from pg_stat_activity where usename like 'flowforge%' order by random() limit 1) one`,
      )
      ended += rowCount ?? 0
      await forMs(1_000 / perSecond, scene.signal)
    }
  } finally {
    await client.end()
  }
  scene.note(`${ended} connections were ended`)
}

/** Takes connections and does nothing with them, as a leaking programme does, until PostgreSQL gives no more. */
export async function holdConnections({ count, forMs: durationMs }: Hold, scene: Scene): Promise<void> {
  const held: pg.Client[] = []
  try {
    for (let one = 0; one < count; one++) held.push(await connect(scene.system.databaseUrl))
  } catch (error) {
    scene.note(`${held.length} connections are held, then: ${(error as Error).message}`)
  }
  await forMs(durationMs, scene.signal)
  await Promise.all(held.map((client) => client.end()))
}

async function connect(url: string): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: url, application_name: 'chaos' })
  client.on('error', () => {
    // The server may be what is struck next.
  })
  await client.connect()
  return client
}
