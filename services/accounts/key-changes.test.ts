import { deepEqual } from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import type { ApiKey } from '@flowforge/proto/flowforge/accounts/v1/account.ts'
import { CreateApiKeyRequest, CreateUserRequest } from '@flowforge/proto/flowforge/accounts/v1/account_service.ts'
import type { WatchApiKeysResponse } from '@flowforge/proto/flowforge/accounts/v1/auth_service.ts'
import { Role } from '@flowforge/proto/flowforge/mesh/v1/policy.ts'
import { client } from '@flowforge/runtime/client'
import { AuthServiceClient } from '@flowforge/proto/flowforge/accounts/v1/auth_service.ts'
import { refused } from '@flowforge/runtime/testing/refused'
import { serveAccounts, type ServedAccounts } from './testing/serve.ts'

const parent = 'projects/default'
const { ROLE_ADMIN, ROLE_SUBMITTER, ROLE_VIEWER } = Role

async function setup(t: TestContext) {
  const served = await serveAccounts(t)
  const { accounts } = served
  return {
    ...served,
    createUser: (roles: Role[]) =>
      accounts.createUser(CreateUserRequest.create({ parent, user: { email: 'ada@example.com', roles } })),
    createKey: (apiKey: Partial<ApiKey>) => accounts.createApiKey(CreateApiKeyRequest.create({ parent, apiKey })),
    rolesOf: async ({ secret }: ApiKey) => (await served.auth.verifyApiKey({ secret })).roles,
  }
}

/** Opens the watch and reads it message by message. */
async function watch(t: TestContext, { auth }: Pick<ServedAccounts, 'auth'>) {
  const stop = new AbortController()
  t.after(() => stop.abort())
  const messages = auth.watchApiKeys({}, { signal: stop.signal })[Symbol.asyncIterator]()
  return async () => (await messages.next()).value as WatchApiKeysResponse
}

test('whoever watches is told at once that it may have missed changes, then of each revocation', async (t) => {
  const served = await setup(t)
  const key = await served.createKey({ roles: [ROLE_VIEWER] })
  const next = await watch(t, served)
  deepEqual(await next(), { apiKeys: [], missed: true })
  await served.accounts.revokeApiKey({ name: key.name })
  deepEqual(await next(), { apiKeys: [key.name], missed: false })
})

test('with a user its keys are announced, and when its roles change, not when its name does', async (t) => {
  const served = await setup(t)
  const user = await served.createUser([ROLE_SUBMITTER])
  const key = await served.createKey({ roles: [ROLE_SUBMITTER], user: user.name })
  await served.createKey({ roles: [ROLE_SUBMITTER] })
  const next = await watch(t, served)
  await next()
  await served.accounts.updateUser({ user: { ...user, displayName: 'Ada' }, updateMask: ['display_name'] })
  await served.accounts.updateUser({ user: { ...user, roles: [ROLE_VIEWER] }, updateMask: ['roles'] })
  deepEqual((await next()).apiKeys, [key.name])
  await served.accounts.deleteUser({ name: user.name })
  deepEqual((await next()).apiKeys, [key.name])
})

test('a key of a user may do what both may, and loses a role with its user', async (t) => {
  const { accounts, createUser, createKey, rolesOf } = await setup(t)
  const user = await createUser([ROLE_VIEWER, ROLE_SUBMITTER])
  await refused('INVALID_ARGUMENT', createKey({ roles: [ROLE_VIEWER, ROLE_ADMIN], user: user.name }), 'api_key.roles')
  const key = await createKey({ roles: [ROLE_SUBMITTER], user: user.name })
  deepEqual(await rolesOf(key), [ROLE_SUBMITTER])
  await accounts.updateUser({ user: { ...user, roles: [ROLE_ADMIN] }, updateMask: ['roles'] })
  deepEqual(await rolesOf(key), [ROLE_SUBMITTER])
  const full = await createKey({ roles: [ROLE_ADMIN], user: user.name })
  await accounts.updateUser({ user: { ...user, roles: [ROLE_VIEWER] }, updateMask: ['roles'] })
  deepEqual(await rolesOf(key), [])
  deepEqual(await rolesOf(full), [ROLE_VIEWER])
  const free = await createKey({ roles: [ROLE_ADMIN] })
  deepEqual(await rolesOf(free), [ROLE_ADMIN])
})

test('only the gateway may watch', async (t) => {
  const { dialAs } = await setup(t)
  for (const component of ['operator', 'worker']) {
    const stream = client(AuthServiceClient, dialAs(component)).watchApiKeys({})
    await refused('PERMISSION_DENIED', stream[Symbol.asyncIterator]().next())
  }
})
