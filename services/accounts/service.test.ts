import { deepEqual, equal, match, notEqual, ok } from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import type { ApiKey } from '@flowforge/proto/flowforge/accounts/v1/account.ts'
import {
  AccountServiceClient,
  CreateApiKeyRequest,
  CreateProjectRequest,
  CreateUserRequest,
  UpdateUserRequest,
} from '@flowforge/proto/flowforge/accounts/v1/account_service.ts'
import { AuthServiceClient } from '@flowforge/proto/flowforge/accounts/v1/auth_service.ts'
import { Role } from '@flowforge/proto/flowforge/mesh/v1/policy.ts'
import { client } from '@flowforge/runtime/client'
import { StatusError } from '@flowforge/runtime/status'
import { refused } from '@flowforge/runtime/testing/refused'
import { serveAccounts } from './testing/serve.ts'

const parent = 'projects/default'
const principal = `${parent}/apiKeys/somebody`

async function setup(t: TestContext) {
  const served = await serveAccounts(t)
  const { accounts } = served
  return {
    ...served,
    createUser: (email: string, roles: Role[] = []) =>
      accounts.createUser(CreateUserRequest.create({ parent, user: { email, roles } }), {
        metadata: { 'flowforge-principal': principal },
      }),
    createKey: (apiKey: Partial<ApiKey>) => accounts.createApiKey(CreateApiKeyRequest.create({ parent, apiKey })),
    audit: async () => (await accounts.listAuditEntries({ parent, pageSize: 100, pageToken: '' })).auditEntries,
  }
}

test('a project is created, read, renamed and listed', async (t) => {
  const { accounts } = await setup(t)
  const created = await accounts.createProject(
    CreateProjectRequest.create({ projectId: 'mail', project: { displayName: 'Mail' } }),
  )
  equal(created.name, 'projects/mail')
  ok(created.createTime)
  deepEqual(await accounts.getProject({ name: created.name }), created)
  const renamed = await accounts.updateProject({ project: { ...created, displayName: 'Post' }, updateMask: undefined })
  equal(renamed.displayName, 'Post')
  const cleared = await accounts.updateProject({
    project: { ...created, displayName: '' },
    updateMask: ['display_name'],
  })
  equal(cleared.displayName, '')
  const { projects } = await accounts.listProjects({ pageSize: 0, pageToken: '' })
  deepEqual(
    projects.map(({ name }) => name),
    ['projects/default', 'projects/mail'],
  )
})

test('a principal lists its own project only', async (t) => {
  const { accounts } = await setup(t)
  await accounts.createProject(CreateProjectRequest.create({ projectId: 'mail', project: {} }))
  const list = async (project: string) => {
    const metadata = { 'flowforge-principal': principal, 'flowforge-project': project }
    const { projects } = await accounts.listProjects({ pageSize: 10, pageToken: '' }, { metadata })
    return projects.map(({ name }) => name)
  }
  deepEqual(await list('projects/mail'), ['projects/mail'])
  deepEqual(await list('projects/gone'), [])
})

test('a project id is checked and taken once', async (t) => {
  const { accounts } = await setup(t)
  const create = (projectId: string) => accounts.createProject(CreateProjectRequest.create({ projectId, project: {} }))
  for (const id of ['', 'Mail', 'a_b', 'a'.repeat(64)]) await refused('INVALID_ARGUMENT', create(id), 'project_id')
  await refused('ALREADY_EXISTS', create('default'))
  await refused('INVALID_ARGUMENT', accounts.createProject({ projectId: 'x', project: undefined }), 'project')
})

test('every violated field is told at once', async (t) => {
  const { accounts } = await setup(t)
  const user = { email: 'nobody', displayName: 'x'.repeat(256), roles: [Role.ROLE_ADMIN, 9 as Role] }
  await refused(
    'INVALID_ARGUMENT',
    accounts.createUser(CreateUserRequest.create({ parent, user })),
    'user.email',
    'user.display_name',
    'user.roles[1]',
  )
})

test('an email is unique in its project however it is capitalized', async (t) => {
  const { accounts, createUser } = await setup(t)
  await createUser('ann@example.com')
  await refused('ALREADY_EXISTS', createUser('Ann@Example.COM'))
  await accounts.createProject(CreateProjectRequest.create({ projectId: 'mail', project: {} }))
  const elsewhere = CreateUserRequest.create({ parent: 'projects/mail', user: { email: 'ann@example.com' } })
  ok(await accounts.createUser(elsewhere))
})

test('a mask says which fields of a user change; a foreign one is refused', async (t) => {
  const { accounts, createUser } = await setup(t)
  const user = await createUser('ann@example.com', [Role.ROLE_VIEWER])
  const update = (updateMask: string[] | undefined, change: object) =>
    accounts.updateUser(UpdateUserRequest.create({ user: { ...user, ...change }, updateMask }))
  deepEqual((await update(['display_name'], { displayName: 'Ann', roles: [] })).roles, [Role.ROLE_VIEWER])
  const set = await update(undefined, { roles: [Role.ROLE_WORKER], displayName: '' })
  deepEqual([set.displayName, set.roles], ['Ann', [Role.ROLE_WORKER]])
  const all = await update(['*'], { roles: [], displayName: '' })
  deepEqual([all.displayName, all.roles], ['', []])
  await refused('INVALID_ARGUMENT', update(['email'], {}), 'update_mask')
  await refused('INVALID_ARGUMENT', update(['roles'], { roles: [Role.ROLE_ADMIN, Role.ROLE_ADMIN] }), 'user.roles')
  await refused('NOT_FOUND', update(['roles'], { name: `${parent}/users/none` }))
})

test('a key is shown once, verified, and refused from its revocation on', async (t) => {
  const { accounts, auth, createKey } = await setup(t)
  const key = await createKey({ displayName: 'ci', roles: [Role.ROLE_SUBMITTER, Role.ROLE_VIEWER] })
  match(key.secret, /^ff_[\w-]{43}$/)
  deepEqual(await auth.verifyApiKey({ secret: key.secret }), {
    principal: key.name,
    project: parent,
    roles: [Role.ROLE_SUBMITTER, Role.ROLE_VIEWER],
    expireTime: undefined,
  })
  equal((await accounts.getApiKey({ name: key.name })).secret, '')
  const { apiKeys } = await accounts.listApiKeys({ parent, pageSize: 10, pageToken: '' })
  deepEqual(
    apiKeys.map(({ secret }) => secret),
    [''],
  )
  const revoked = await accounts.revokeApiKey({ name: key.name })
  ok(revoked.revokeTime)
  deepEqual(await accounts.revokeApiKey({ name: key.name }), revoked)
  await refused('UNAUTHENTICATED', auth.verifyApiKey({ secret: key.secret }))
})

test('unknown, expired and revoked keys are refused with the same words', async (t) => {
  const { accounts, auth, clone, createKey } = await setup(t)
  const expiring = await createKey({ roles: [Role.ROLE_ADMIN], expireTime: new Date(Date.now() + 60_000) })
  equal((await auth.verifyApiKey({ secret: expiring.secret })).expireTime?.getTime(), expiring.expireTime!.getTime())
  await clone.setClock(60_000)
  const revoked = await createKey({ roles: [Role.ROLE_ADMIN] })
  await accounts.revokeApiKey({ name: revoked.name })
  const told = await Promise.all(
    [expiring.secret, revoked.secret, 'ff_unknown', ''].map((secret) =>
      auth.verifyApiKey({ secret }).catch((error: StatusError) => `${error.code} ${error.reason} ${error.message}`),
    ),
  )
  deepEqual(new Set(told), new Set(['16 API_KEY_INVALID the API key is not valid']))
})

test('a key needs a role, a future expiry and a user of its project', async (t) => {
  const { accounts, createKey } = await setup(t)
  const roles = [Role.ROLE_VIEWER]
  await refused('INVALID_ARGUMENT', createKey({ roles: [] }), 'api_key.roles')
  await refused('INVALID_ARGUMENT', createKey({ roles: [Role.ROLE_UNSPECIFIED] }), 'api_key.roles[0]')
  await refused('INVALID_ARGUMENT', createKey({ roles, expireTime: new Date(1_000) }), 'api_key.expire_time')
  await refused('INVALID_ARGUMENT', createKey({ roles, user: 'projects/mail/users/x' }), 'api_key.user')
  await refused('INVALID_ARGUMENT', createKey({ roles, user: 'x' }), 'api_key.user')
  await refused('NOT_FOUND', createKey({ roles, user: `${parent}/users/none` }))
  const elsewhere = CreateApiKeyRequest.create({ parent: 'projects/none', apiKey: { roles } })
  await refused('NOT_FOUND', accounts.createApiKey(elsewhere))
  equal((await accounts.listApiKeys({ parent, pageSize: 10, pageToken: '' })).apiKeys.length, 0)
})

test('with a user go its keys, which stay listed as revoked', async (t) => {
  const { accounts, auth, createKey, createUser } = await setup(t)
  const user = await createUser('ann@example.com', [Role.ROLE_ADMIN])
  const own = await createKey({ roles: [Role.ROLE_ADMIN], user: user.name })
  const other = await createKey({ roles: [Role.ROLE_ADMIN] })
  await accounts.deleteUser({ name: user.name })
  await refused('NOT_FOUND', accounts.getUser({ name: user.name }))
  await refused('NOT_FOUND', accounts.deleteUser({ name: user.name }))
  await refused('UNAUTHENTICATED', auth.verifyApiKey({ secret: own.secret }))
  ok(await auth.verifyApiKey({ secret: other.secret }))
  const listed = await accounts.getApiKey({ name: own.name })
  deepEqual([listed.user, listed.revokeTime !== undefined], [user.name, true])
})

test('lists go on where the page ended, and a token holds for its own question only', async (t) => {
  const { accounts, createUser } = await setup(t)
  for (const letter of 'abcde') await createUser(`${letter}@example.com`)
  const emails: string[] = []
  let pageToken = ''
  let pages = 0
  do {
    const page = await accounts.listUsers({ parent, pageSize: 2, pageToken })
    emails.push(...page.users.map(({ email }) => email))
    pageToken = page.nextPageToken
    pages += 1
  } while (pageToken !== '')
  equal(pages, 3)
  deepEqual(
    emails,
    Array.from('abcde', (letter) => `${letter}@example.com`),
  )
  const { nextPageToken } = await accounts.listUsers({ parent, pageSize: 2, pageToken: '' })
  await refused(
    'INVALID_ARGUMENT',
    accounts.listApiKeys({ parent, pageSize: 2, pageToken: nextPageToken }),
    'page_token',
  )
  await refused('INVALID_ARGUMENT', accounts.listUsers({ parent, pageSize: 2, pageToken: 'nonsense' }), 'page_token')
  await refused('INVALID_ARGUMENT', accounts.listUsers({ parent, pageSize: -1, pageToken: '' }), 'page_size')
  await refused('NOT_FOUND', accounts.listUsers({ parent: 'projects/none', pageSize: 1, pageToken: '' }))
})

test('every change is in the audit log with who made it, and a refused one is not', async (t) => {
  const { accounts, audit, createUser } = await setup(t)
  const before = (await audit()).length
  const user = await createUser('ann@example.com')
  await refused('ALREADY_EXISTS', createUser('ann@example.com'))
  await accounts.updateUser(UpdateUserRequest.create({ user: { name: user.name }, updateMask: undefined }))
  await accounts.deleteUser({ name: user.name })
  const entries = (await audit()).slice(0, -before)
  const service = 'flowforge.accounts.v1.AccountService'
  const gateway = 'gateway.flowforge.serviceaccount.identity.linkerd.cluster.local'
  deepEqual(
    entries.map((entry) => [entry.principal, entry.method, entry.resource]),
    [
      [gateway, `${service}/DeleteUser`, user.name],
      [principal, `${service}/CreateUser`, user.name],
    ],
  )
  notEqual(entries[0]!.name, entries[1]!.name)
})

test('only the gateway and the operator may call, and keys are verified for the gateway alone', async (t) => {
  const { dialAs } = await setup(t)
  const list = (component: string) =>
    client(AccountServiceClient, dialAs(component)).listProjects({ pageSize: 1, pageToken: '' })
  equal((await list('operator')).projects.length, 1)
  for (const stranger of ['tasks', 'worker', 'notifications']) await refused('PERMISSION_DENIED', list(stranger))
  await refused('PERMISSION_DENIED', client(AuthServiceClient, dialAs('operator')).verifyApiKey({ secret: 'x' }))
})

test('malformed names are refused on their field', async (t) => {
  const { accounts } = await setup(t)
  await refused('INVALID_ARGUMENT', accounts.getProject({ name: 'default' }), 'name')
  await refused('INVALID_ARGUMENT', accounts.getUser({ name: 'projects/default/users/' }), 'name')
  await refused('INVALID_ARGUMENT', accounts.getApiKey({ name: 'projects/default/users/x' }), 'name')
  await refused('INVALID_ARGUMENT', accounts.listUsers({ parent: '', pageSize: 1, pageToken: '' }), 'parent')
  await refused('NOT_FOUND', accounts.listAuditEntries({ parent: 'projects/none', pageSize: 1, pageToken: '' }))
})
