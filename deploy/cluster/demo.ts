import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { run } from './command.ts'
import type { Installation } from './installation.ts'
import type { Finding } from './steps.ts'

/** Runs `npm run demo` against the installation by `outside`, a command that runs others where Services can be reached. */
export async function runDemo(installation: Installation, outside: string): Promise<Finding> {
  const folder = mkdtempSync(join(tmpdir(), 'flowforge-cluster-demo-'))
  try {
    const keyFile = join(folder, 'key')
    writeFileSync(keyFile, await installation.apiKey(), { mode: 0o600 })
    const url = `http://${installation.release}-gateway.${installation.namespace}`
    const program = fileURLToPath(new URL('../../services/local/demo/run.ts', import.meta.url))
    const demo = [process.execPath, program, '--url', url, '--key-file', keyFile, '--json']
    const [command, ...args] = outside.split(' ')
    const { submitted, delivered, retried, claims } = JSON.parse(
      await run(command!, [...args, ...demo], { timeoutMs: 300_000 }),
    ) as { submitted: number; delivered: number; retried: number; claims: unknown[] }
    return {
      detail: `${submitted} webhooks handed in, ${delivered} delivered, ${retried} of them again; ${claims.length} claims proved`,
    }
  } finally {
    rmSync(folder, { recursive: true })
  }
}

/** What lets workers reach whoever runs the demo on a node: `key=value`. */
export async function valuesForDemo(): Promise<string[]> {
  const path = '{.items[*].status.addresses[?(@.type=="InternalIP")].address}'
  const addresses = (await run('kubectl', ['get', 'nodes', '--output', `jsonpath=${path}`])).trim().split(/\s+/)
  return addresses.flatMap((address, index) => [
    `worker.allowHosts[${index}]=${address}`,
    `worker.allowCidrs[${index}]=${address}/32`,
  ])
}
