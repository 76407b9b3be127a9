import { join } from 'node:path'
import { after } from 'node:test'
import { startSystem, type System, type SystemOptions } from '@flowforge/local/system'
import { Client } from '@flowforge/sdk/client'
import { scratchFolder } from './scratch-folder.ts'

export interface TestSystem extends System {
  client: Client
  /** The folder in which `.flowforge` lies. */
  home: string
  /** What the launcher said. */
  messages: string[]
  /** One HTTP request with the API key unless `headers` say otherwise; the body goes as JSON unless it is a string. */
  call(method: string, path: string, body?: unknown, headers?: Record<string, string>): Promise<Answer>
}

export interface Answer {
  status: number
  text: string
  json<T>(): T
}

/** Starts a system for the tests of a file; it stops after them. */
export async function startTestSystem(options: Partial<SystemOptions> = {}): Promise<TestSystem> {
  const scratch = scratchFolder()
  const messages: string[] = []
  const system = await startSystem({
    dataDir: join(scratch.path, '.flowforge'),
    port: 0,
    durable: false,
    onMessage: (line) => messages.push(line),
    ...options,
  })
  after(async () => {
    await system.stop()
    scratch.remove()
  })
  const { url, apiKey } = system
  const call: TestSystem['call'] = async (method, path, body, headers = {}) => {
    const response = await fetch(url + path, {
      method,
      headers: { authorization: `Bearer ${apiKey}`, 'content-type': 'application/json', ...headers },
      ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    })
    const text = await response.text()
    return { status: response.status, text, json: <T>() => JSON.parse(text) as T }
  }
  return { ...system, home: scratch.path, client: new Client({ url, apiKey }), messages, call }
}
