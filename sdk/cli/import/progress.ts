import { Presets, SingleBar } from 'cli-progress'

/** Shows how far a long command is, on standard error: a bar on a terminal, else one line per second. */
export interface Progress {
  update(done: number, refused: number): void
  /** Writes a line beside the bar. */
  say(line: string): void
  stop(): void
}

/** Starts showing the way to `total`. */
export function showProgress(total: number, output: NodeJS.WriteStream = process.stderr): Progress {
  return output.isTTY ? showBar(total, output) : showLines(total, output)
}

function showBar(total: number, output: NodeJS.WriteStream): Progress {
  const format = ' {bar} {percentage} % | {value}/{total} | {rate}/s | {refused} refused | {duration_formatted}'
  const bar = new SingleBar({ format, stream: output, hideCursor: true, fps: 10 }, Presets.shades_classic)
  const rateOf = startRate()
  bar.start(total, 0, { rate: 0, refused: 0 })
  return {
    update: (done, refused) => bar.update(done, { rate: rateOf(done), refused }),
    say: (line) => void output.write(`\r\u001b[K${line}\n`),
    stop: () => bar.stop(),
  }
}

function showLines(total: number, output: NodeJS.WriteStream): Progress {
  const rateOf = startRate()
  let latest = [0, 0]
  const write = () => output.write(`${latest[0]}/${total} (${rateOf(latest[0] ?? 0)}/s), ${latest[1]} refused\n`)
  const timer = setInterval(write, 1_000).unref()
  return {
    update: (done, refused) => void (latest = [done, refused]),
    say: (line) => void output.write(`${line}\n`),
    stop: () => clearInterval(timer),
  }
}

/** The mean rate per second since the start. */
function startRate(): (done: number) => number {
  const start = performance.now()
  return (done) => Math.round(done / Math.max(0.001, (performance.now() - start) / 1_000))
}
