import { spawn } from 'node:child_process'

export interface CommandOptions {
  /** Given to its standard input. */
  input?: string
  timeoutMs?: number
}

/** Runs a program and gives what it printed; throws with its error output when it fails or takes longer than told. */
export async function run(program: string, args: string[], options: CommandOptions = {}): Promise<string> {
  const { input, timeoutMs = 300_000 } = options
  const child = spawn(program, args, { stdio: ['pipe', 'pipe', 'pipe'], timeout: timeoutMs })
  let stdout = ''
  let stderr = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text))
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text))
  child.stdin.end(input ?? '')
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject)
    child.once('close', resolve)
  })
  if (code === 0) return stdout
  const words = [program, ...args].join(' ')
  throw new Error(
    `${words.slice(0, 200)} ${code === null ? 'took too long' : `failed (${code})`}: ${stderr.trim()} ${stdout.trim()}`,
  )
}

/** Whether a program is there to be run. */
export async function isPresent(program: string, args: string[]): Promise<boolean> {
  try {
    await run(program, args, { timeoutMs: 30_000 })
    return true
  } catch {
    return false
  }
}
