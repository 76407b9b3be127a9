/** Writes lines for whoever runs the command. */
export function say(...lines: string[]): void {
  process.stdout.write(lines.map((line) => `${line}\n`).join(''))
}

/** Says what was found; whatever runs the command sees the exit code 1. */
export function found(...lines: string[]): void {
  say(...lines)
  process.exitCode = 1
}
