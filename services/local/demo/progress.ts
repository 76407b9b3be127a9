import { Presets, SingleBar } from 'cli-progress'

/** How far the demo is. */
export interface Standing {
  created: number
  delivered: number
  failed: number
}

/** Shows how far the demo is until the returned function is called, once or more: a bar on a terminal, else one line per second. */
export function showProgress(
  total: number,
  standing: () => Standing,
  output: NodeJS.WriteStream = process.stderr,
): () => void {
  if (!output.isTTY) {
    const timer = setInterval(() => {
      const { created, delivered, failed } = standing()
      output.write(`${created} created, ${delivered} of ${total} delivered, ${failed} deliveries refused\n`)
    }, 1_000)
    return () => clearInterval(timer)
  }
  const format = ' {bar} {value}/{total} delivered | {created} created | {failed} refused | {duration_formatted}'
  const bar = new SingleBar({ format, stream: output, hideCursor: true }, Presets.shades_classic)
  bar.start(total, 0, { created: 0, failed: 0 })
  const update = () => {
    const { created, delivered, failed } = standing()
    bar.update(Math.min(delivered, total), { created, failed })
  }
  const timer = setInterval(update, 100)
  return () => {
    if (!bar.isActive) return
    clearInterval(timer)
    update()
    bar.stop()
  }
}
