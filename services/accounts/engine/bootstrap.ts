import { randomUUID } from 'node:crypto'
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { sql } from 'kysely'
import type { AccountsDatabase } from '../tables.ts'
import { createApiKey } from './api-keys.ts'
import type { Actor } from './audit.ts'
import { createProject } from './projects.ts'
import { givenSecret, hashSecret } from './secret.ts'

/** The project that exists from the start. */
const defaultProject = 'default'

/** What a start had to make. */
export interface Bootstrapped {
  project: boolean
  keyFile: boolean
  givenKey: boolean
}

/** Where the first admin key comes from or goes to. */
export interface KeyFiles {
  /** Written here when it holds none of this database. */
  written?: string | undefined
  /** Read from here: a mounted secret that somebody else made. */
  given?: string | undefined
}

/**
 * Sees to it that `projects/default` exists and that the keys of these files are admin keys for it.
 *
 * Any number of instances may do so at once, and any start may be cut short: the next one repairs what is missing.
 * A file whose key was revoked or has expired is left alone, because somebody wanted that.
 */
export async function bootstrap(db: AccountsDatabase, principal: string, files: KeyFiles = {}): Promise<Bootstrapped> {
  // The lock has a transaction of its own. The work commits in others while it is held: first to the database, then
  // to the file. The other way round, a crash in between would leave a file with a key that nobody accepts.
  return await db.transaction().execute(async (lock) => {
    await sql`select pg_advisory_xact_lock(hashtextextended('accounts.bootstrap', 0))`.execute(lock)
    return {
      project: await ensureDefaultProject(db, principal),
      keyFile: files.written !== undefined && (await ensureKeyFile(db, principal, files.written)),
      givenKey: files.given !== undefined && (await ensureGivenKey(db, principal, files.given)),
    }
  })
}

async function ensureDefaultProject(db: AccountsDatabase, principal: string): Promise<boolean> {
  const existing = await db
    .selectFrom('accounts.projects')
    .select('id')
    .where('id', '=', defaultProject)
    .executeTakeFirst()
  if (existing !== undefined) return false
  await createProject(db, actor(principal, 'CreateProject'), { id: defaultProject, displayName: 'Default' })
  return true
}

async function ensureKeyFile(db: AccountsDatabase, principal: string, file: string): Promise<boolean> {
  const written = await readKey(file)
  if (written !== undefined && (await isKnown(db, written))) return false
  const { plaintext } = await createApiKey(db, actor(principal, 'CreateApiKey'), {
    project: defaultProject,
    displayName: 'First key, written at start',
    roles: ['admin'],
  })
  await writeWhole(file, `${plaintext}\n`)
  return true
}

async function ensureGivenKey(db: AccountsDatabase, principal: string, file: string): Promise<boolean> {
  const plaintext = (await readFile(file, 'utf8')).trim()
  if (await isKnown(db, plaintext)) return false
  const key = { project: defaultProject, displayName: 'Key of the installation', roles: ['admin' as const] }
  await createApiKey(db, actor(principal, 'CreateApiKey'), key, givenSecret(plaintext))
  return true
}

/** Whether the key is in this database, valid or not: a file left over from another database has to be replaced. */
async function isKnown(db: AccountsDatabase, plaintext: string): Promise<boolean> {
  const row = await db
    .selectFrom('accounts.api_keys')
    .select('id')
    .where('secret_hash', '=', hashSecret(plaintext))
    .executeTakeFirst()
  return row !== undefined
}

async function readKey(file: string): Promise<string | undefined> {
  try {
    return (await readFile(file, 'utf8')).trim()
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}

/** Readers see the old file or the whole new one, never a part, and nobody but the owner can read either. */
async function writeWhole(file: string, text: string): Promise<void> {
  await mkdir(dirname(file), { recursive: true })
  const draft = `${file}.${randomUUID()}`
  try {
    await writeFile(draft, text, { mode: 0o600, flush: true })
    await rename(draft, file)
  } catch (error) {
    await rm(draft, { force: true })
    throw error
  }
}

function actor(principal: string, method: string): Actor {
  return { principal, method: `flowforge.accounts.v1.AccountService/${method}` }
}
