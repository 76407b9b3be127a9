import { execFile } from 'node:child_process'
import { delimiter } from 'node:path'
import { fileURLToPath } from 'node:url'

const binaries = fileURLToPath(new URL('../../../node_modules/.bin', import.meta.url))

export interface Ended {
  code: number
  stdout: string
  stderr: string
}

/** Runs a command as somebody in `cwd` would, with what npm puts on the PATH; settles when it has ended. */
export function runCommand(
  command: string,
  args: string[],
  { cwd, env = {} }: { cwd: string; env?: Record<string, string> },
): Promise<Ended> {
  const path = [binaries, process.env.PATH].join(delimiter)
  const options = {
    cwd,
    env: { PATH: path, HOME: cwd, ...env },
    timeout: 60_000,
    maxBuffer: 64 * 1024 * 1024,
  }
  return new Promise((resolve) => {
    execFile(command, args, options, (error, stdout, stderr) =>
      resolve({ code: typeof error?.code === 'number' ? error.code : error ? -1 : 0, stdout, stderr }),
    )
  })
}

/** Whether a programme is on the PATH. */
export async function isInstalled(programme: string): Promise<boolean> {
  return (await runCommand('sh', ['-c', `command -v ${programme}`], { cwd: '/' })).code === 0
}
