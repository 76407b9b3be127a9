import { execFileSync, spawnSync } from 'node:child_process'
import { existsSync, statSync } from 'node:fs'

/** The user that PostgreSQL runs as when it must not be the one who starts it. */
export interface UnixUser {
  uid: number
  gid: number
}

/**
 * Picks an unprivileged user when this process is root, since PostgreSQL refuses to run as root; else nobody special.
 *
 * The owner of an existing database keeps it. Otherwise it is the machine's `postgres` user or else `nobody`.
 */
export function postgresUser(dataDir: string): UnixUser | undefined {
  if (process.getuid?.() !== 0) return undefined
  if (existsSync(dataDir)) {
    const { uid, gid } = statSync(dataDir)
    if (uid !== 0) return { uid, gid }
  }
  const user = userNamed('postgres') ?? userNamed('nobody')
  if (!user)
    throw new Error(
      'PostgreSQL does not run as root, and there is neither a user postgres nor nobody: start as another user',
    )
  return user
}

/** Whether this user can enter the folder; yes when no user is given, which means: the one who runs this. */
export function canReach(folder: string, user: UnixUser | undefined): boolean {
  if (!user) return true
  const asked = spawnSync('/bin/sh', ['-c', 'cd "$1"', 'sh', folder], { ...user, cwd: '/', stdio: 'ignore' })
  return asked.status === 0
}

function userNamed(name: string): UnixUser | undefined {
  try {
    const ask = (flag: string) =>
      Number(execFileSync('id', [flag, name], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }))
    return { uid: ask('-u'), gid: ask('-g') }
  } catch {
    // There is no such user.
    return undefined
  }
}
