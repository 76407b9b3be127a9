import { deepEqual, equal } from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { test, type TestContext } from 'node:test'
import { exportJWK, generateKeyPair, SignJWT, type JWTPayload } from 'jose'
import { readGatewayConfig } from './config.ts'
import { startBehind } from './testing/setup.ts'

/** An identity provider with one key, and a gateway that trusts it. */
async function setup(t: TestContext, env: Record<string, string> = {}) {
  const { publicKey, privateKey } = await generateKeyPair('ES256')
  const jwk = { ...(await exportJWK(publicKey)), kid: 'one', alg: 'ES256' }
  let isUp = true
  const server = createServer((request, response) => {
    if (!isUp) return void response.writeHead(503).end()
    const answer = request.url === '/keys' ? { keys: [jwk] } : { issuer, jwks_uri: `${issuer}/keys` }
    response.setHeader('content-type', 'application/json').end(JSON.stringify(answer))
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  t.after(() => server.close())
  const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const behind = await startBehind(t, {
    FLOWFORGE_OIDC_ISSUER: issuer,
    FLOWFORGE_OIDC_AUDIENCE: 'flowforge',
    ...env,
  })
  const sign = (claims: JWTPayload, key = privateKey): Promise<string> =>
    new SignJWT({
      iss: issuer,
      aud: 'flowforge',
      sub: 'ada@example.com',
      exp: Math.floor(Date.now() / 1000) + 60,
      ...claims,
    })
      .setProtectedHeader({ alg: 'ES256', kid: 'one' })
      .sign(key)
  const get = async (claims: JWTPayload, path = '/v1/projects/a/tasks/1') => {
    const { status, error } = await behind.call('GET', path, { key: await sign(claims) })
    return [status, error?.details[0]?.reason]
  }
  return { behind, sign, get, setUp: (up: boolean) => (isUp = up) }
}

const good = { roles: ['viewer'], projects: ['a'] }

test('a token acts for its subject, in the project that the request names', async (t) => {
  const { behind, get, sign } = await setup(t)
  deepEqual(await get({ roles: ['viewer'], projects: ['projects/b', 'a'] }), [200, undefined])
  const { context } = behind.calls[0]!
  deepEqual([context.principal, context.project], ['oidc:ada%40example.com', 'projects/a'])
  equal((await behind.call('GET', '/v1/projects', { key: await sign({ ...good, projects: 'b' }) })).status, 200)
  equal(behind.calls[1]!.context.project, 'projects/b')
  equal((await behind.call('GET', '/v1/projects', { key: 'viewer' })).status, 200)
})

for (const [what, claims, expected] of [
  ['of another issuer', { ...good, iss: 'https://elsewhere.example' }, [401, 'TOKEN_INVALID']],
  ['for another audience', { ...good, aud: 'mail' }, [401, 'TOKEN_INVALID']],
  ['that has expired', { ...good, exp: 1 }, [401, 'TOKEN_EXPIRED']],
  ['without a subject', { ...good, sub: undefined }, [401, 'TOKEN_INVALID']],
  ['without a project', { roles: ['viewer'] }, [401, 'TOKEN_WITHOUT_PROJECT']],
  ['of another project', { ...good, projects: ['b'] }, [403, 'OTHER_PROJECT']],
  ['without a role of ours', { ...good, roles: ['boss'] }, [403, 'ROLE_MISSING']],
] as const) {
  test(`a token ${what} is refused as ${expected.join(' ')}`, async (t) => {
    const { behind, get } = await setup(t)
    deepEqual(await get(claims as unknown as JWTPayload), expected)
    equal(behind.calls.length, 0)
  })
}

test('a token that somebody else signed, or that names no algorithm, is refused', async (t) => {
  const { behind, sign } = await setup(t)
  const { privateKey } = await generateKeyPair('ES256')
  const part = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url')
  const [, payload] = (await sign(good)).split('.')
  for (const token of [await sign(good, privateKey), `${part({ alg: 'none' })}.${payload}.`]) {
    const { status, error, headers } = await behind.call('GET', '/v1/projects/a/tasks/1', { key: token })
    deepEqual([status, error.details[0]?.reason], [401, 'TOKEN_INVALID'])
    equal(headers.get('www-authenticate'), 'Bearer realm="flowforge", error="invalid_token"')
  }
})

test('roles come from the configured claim under the configured names', async (t) => {
  const { get } = await setup(t, {
    FLOWFORGE_OIDC_ROLES_CLAIM: 'realm_access.roles',
    FLOWFORGE_OIDC_ROLES: 'readers=viewer,ops=admin',
    FLOWFORGE_OIDC_PROJECTS_CLAIM: 'https://flowforge.dev/project',
  })
  const claims = (role: string) => ({ realm_access: { roles: [role] }, 'https://flowforge.dev/project': 'a' })
  deepEqual(await get(claims('readers')), [200, undefined])
  deepEqual(await get(claims('viewer')), [403, 'ROLE_MISSING'])
})

test('while the provider cannot be reached tokens are 503, and keys go on', async (t) => {
  const { behind, get, setUp } = await setup(t)
  setUp(false)
  deepEqual(await get(good), [503, 'IDENTITY_PROVIDER'])
  equal((await behind.call('GET', '/v1/projects/a/tasks/1')).status, 200)
  setUp(true)
  deepEqual(await get(good), [200, undefined])
})

test('half a configuration is refused with a line that says what is missing', () => {
  const env = {
    FLOWFORGE_CERTIFICATES: 'x',
    FLOWFORGE_TASKS_ADDRESS: 'a:1',
    FLOWFORGE_ACCOUNTS_ADDRESS: 'a:1',
    FLOWFORGE_NOTIFICATIONS_ADDRESS: 'a:1',
    FLOWFORGE_OIDC_ISSUER: 'https://id.example',
  }
  const messageOf = (more: Record<string, string>): string => {
    try {
      readGatewayConfig({ ...env, ...more })
      return ''
    } catch (error) {
      return (error as Error).message
    }
  }
  equal(messageOf({}).startsWith('FLOWFORGE_OIDC_AUDIENCE is not set'), true)
  equal(messageOf({ FLOWFORGE_OIDC_AUDIENCE: 'f', FLOWFORGE_OIDC_ROLES: 'ops=king' }).includes("'ops=king'"), true)
  equal(messageOf({ FLOWFORGE_OIDC_AUDIENCE: 'f' }), '')
})
