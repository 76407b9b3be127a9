/** Brings the schemas of all components to this version, before its processes start; with an administrator's URL, their roles too. */
import { join } from 'node:path'
import { databaseComponents, provision } from '@flowforge/local/provision'
import { createLogger } from '@flowforge/runtime/log'
import { migrate } from '@flowforge/runtime/migrate'
import { migrateSpec, read } from './config.ts'

const config = read(migrateSpec)
const log = createLogger('setup', 'info')

if (config.adminUrl !== undefined) {
  const passwords = databaseComponents.map((component) => {
    const { username, password } = new URL(config[component])
    return [decodeURIComponent(username), decodeURIComponent(password)] as const
  })
  await provision(config.adminUrl, (role) => passwordOf(role, new Map(passwords)))
}
for (const component of databaseComponents) {
  const folder = join(import.meta.dirname, '../../services', component, 'schema')
  await migrate({ url: config[component], component, folder, waitMs: 60_000, log })
}

function passwordOf(role: string, passwords: Map<string, string>): string {
  const password = passwords.get(role)
  if (password) return password
  throw new Error(`no URL logs in as ${role} with a password`)
}
