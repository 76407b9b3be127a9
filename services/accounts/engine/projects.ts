import { isUniqueViolation } from '@flowforge/runtime/database'
import { alreadyExists, notFound } from '@flowforge/runtime/status'
import type { AccountsDatabase, ProjectRow } from '../tables.ts'
import { type Actor, audit } from './audit.ts'
import { type Page, type PageRequest, toPage } from '@flowforge/runtime/page'

/** Creates a project; ALREADY_EXISTS if its id is taken. */
export async function createProject(
  db: AccountsDatabase,
  actor: Actor,
  project: { id: string; displayName: string },
): Promise<ProjectRow> {
  try {
    return await db.transaction().execute(async (transaction) => {
      const row = await transaction
        .insertInto('accounts.projects')
        .values({ id: project.id, display_name: project.displayName })
        .returningAll()
        .executeTakeFirstOrThrow()
      await audit(transaction, actor, row.id, `projects/${row.id}`)
      return row
    })
  } catch (error) {
    if (!isUniqueViolation(error)) throw error
    throw alreadyExists('PROJECT_EXISTS', `projects/${project.id} exists already`)
  }
}

/** Reads a project; NOT_FOUND if there is none. */
export async function getProject(db: AccountsDatabase, id: string): Promise<ProjectRow> {
  const row = await db.selectFrom('accounts.projects').selectAll().where('id', '=', id).executeTakeFirst()
  if (row === undefined) throw notFound(`projects/${id}`)
  return row
}

/** Lists projects by id; only the one called `only`, if that is given. */
export async function listProjects(db: AccountsDatabase, page: PageRequest, only?: string): Promise<Page<ProjectRow>> {
  let query = db
    .selectFrom('accounts.projects')
    .selectAll()
    .orderBy('id')
    .limit(page.size + 1)
  if (only !== undefined) query = query.where('id', '=', only)
  if (page.after !== undefined) query = query.where('id', '>', page.after)
  return toPage(await query.execute(), page.size, (row) => row.id)
}

/** Changes what `changes` holds; NOT_FOUND if there is no such project. */
export async function updateProject(
  db: AccountsDatabase,
  actor: Actor,
  id: string,
  changes: { displayName?: string | undefined },
): Promise<ProjectRow> {
  if (changes.displayName === undefined) return await getProject(db, id)
  return await db.transaction().execute(async (transaction) => {
    const row = await transaction
      .updateTable('accounts.projects')
      .set({ display_name: changes.displayName })
      .where('id', '=', id)
      .returningAll()
      .executeTakeFirst()
    if (row === undefined) throw notFound(`projects/${id}`)
    await audit(transaction, actor, id, `projects/${id}`)
    return row
  })
}

/** Refuses as NOT_FOUND unless the project exists. */
export async function requireProject(db: AccountsDatabase, id: string): Promise<void> {
  await getProject(db, id)
}
