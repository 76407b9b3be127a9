/**
 * Schemathesis (`pip install schemathesis`) reads `/openapi.json` of a running system and sends what it allows and what it
 * does not, for a minute, or as long as FLOWFORGE_FUZZ_SECONDS says.
 */
import { equal } from 'node:assert/strict'
import { execFile, execFileSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { promisify } from 'node:util'
import { startTestSystem, type TestSystem } from './testing/test-system.ts'

const seconds = Number(process.env['FLOWFORGE_FUZZ_SECONDS'] ?? 60)
// So that an operation has its turn long before the time is over.
const examples = Math.ceil(seconds / 6)
const tool = ['schemathesis', 'st'].find((name) => {
  try {
    execFileSync(name, ['--version'], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
})
const checks = [
  'not_a_server_error',
  'status_code_conformance',
  'content_type_conformance',
  'response_schema_conformance',
  'response_headers_conformance',
  'unsupported_method',
  'ignored_auth',
]

test(
  'nothing that a fuzzer reads out of /openapi.json is a 5xx or answered other than described',
  { skip: tool === undefined && 'schemathesis is not on the PATH' },
  async () => {
    const system = await startTestSystem()
    const file = join(system.home, 'openapi.json')
    writeFileSync(file, JSON.stringify(await describedAround(system)))
    const duration = ['--max-examples', String(examples), '--max-time', String(seconds), '--seed', '1']
    const options = [...duration, '--phases', 'examples,coverage,fuzzing']
    const limits = ['--request-timeout', '10', '--continue-on-failure', '--no-color', '--checks', checks.join()]
    // A watch lasts as long as its task does not end, and a gateway that is told to end is not there any more.
    const filters = ['--exclude-path-regex', '(:watch|/admin/shutdown)$']
    const target = ['run', file, '--url', system.url, '-H', `Authorization: Bearer ${system.apiKey}`]
    const { stdout, code } = await run(tool!, [...target, ...options, ...limits, ...filters], system.home)
    equal(code, 0, stdout)
  },
)

async function run(command: string, args: string[], cwd: string): Promise<{ stdout: string; code: number }> {
  try {
    const { stdout } = await promisify(execFile)(command, args, {
      cwd,
      maxBuffer: 1e8,
      timeout: 1_000 * seconds + 140_000,
    })
    return { stdout, code: 0 }
  } catch (error) {
    const { stdout = '', code = 1 } = error as { stdout?: string; code?: number }
    return { stdout, code }
  }
}

interface Parameter {
  $ref?: string
  in?: string
  name?: string
  schema?: object
}

/** The description, with resources that are there in its paths: else there is little to find behind the 403s and 404s. */
async function describedAround({ call }: TestSystem): Promise<unknown> {
  const { paths, ...rest } = (await call('GET', '/openapi.json')).json<{
    paths: Record<string, Record<string, { parameters: Parameter[] }>>
  }>()
  const create = async (path: string, body: unknown): Promise<string[]> => {
    const { name } = (await call('POST', `/v1/projects/default/${path}`, body)).json<{ name: string }>()
    return [name.split('/').at(-1)!]
  }
  const identifiers: Record<string, string[]> = {
    project: ['default'],
    queue: ['fuzz'],
    task: [...(await create('tasks', { type: 'nobody', queue: 'fuzz' })), ...(await create('tasks', { type: 'echo' }))],
    user: await create('users', { email: 'fuzz@example.com', roles: ['ROLE_VIEWER'] }),
    api_key: await create('apiKeys', { roles: ['ROLE_VIEWER'] }),
    subscription: await create('subscriptions?subscriptionId=fuzz', { url: 'https://example.com/' }),
    schedule: await create('schedules?scheduleId=fuzz', { cron: '0 2 * * *', task: { type: 'echo' } }),
  }
  for (const operation of Object.values(paths).flatMap((methods) => Object.values(methods))) {
    operation.parameters = operation.parameters
      // Whoever asks for an answer within no time gets a 504, as it should be.
      .filter(({ $ref = '' }) => !$ref.endsWith('/RequestTimeout'))
      .map((parameter) => {
        const values = parameter.in === 'path' ? identifiers[parameter.name ?? ''] : undefined
        return values === undefined
          ? parameter
          : { ...parameter, example: values[0], schema: { type: 'string', enum: values } }
      })
  }
  return { ...rest, paths }
}
