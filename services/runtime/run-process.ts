/**
 * The life of a process:
 *
 *     main() ──► ready ──SIGTERM──► not ready ──delay──► stops, last started first ──► exit 0
 */
import { setTimeout as pause } from 'node:timers/promises'
import { ConfigError, duration, oneOf, readConfig } from './config.ts'
import { createHealth, type Health } from './health.ts'
import { createLogger, logLevels, type Logger } from './log.ts'
import { collectProcessMetrics } from './metrics.ts'
import { collectAlone } from './one-processor.ts'
import { startTelemetry } from './telemetry.ts'

/** All stops together get this long; Kubernetes kills after 30 s, the launcher after 10. */
const stopMsMax = 8_000

const spec = {
  level: oneOf('FLOWFORGE_LOG_LEVEL', logLevels, { default: 'info' }),
  /** How long a process that is told to stop goes on serving, not ready, before it drains. */
  shutdownDelayMs: duration('FLOWFORGE_SHUTDOWN_DELAY', { default: '0s', max: '1m' }),
}

export interface ProcessContext {
  log: Logger
  /** Ready once `main` has returned, until the process is told to stop. */
  health: Health
  /** Registers what ends a part of the process. Stops run one after the other, last registered first. */
  onStop(stop: () => Promise<void>): void
  /** Aborted when the process is told to stop, before the first stop runs. */
  signal: AbortSignal
}

/**
 * Runs `main` and keeps the process until SIGTERM or SIGINT; a second signal ends it at once.
 *
 * A ConfigError is printed as one line and exits 2. Any other error of `main`, and anything thrown where nobody
 * catches it, is logged and exits 1.
 */
export async function runProcess(component: string, main: (context: ProcessContext) => Promise<void>): Promise<void> {
  let log: Logger
  try {
    const config = readConfig(spec)
    log = createLogger(component, config.level)
    collectProcessMetrics()
    collectAlone()
    const stopTelemetry = await startTelemetry(component)
    await live(main, log, stopTelemetry, config.shutdownDelayMs)
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    process.stderr.write(`flowforge ${component}: ${error.message}\n`)
    process.exit(2)
  }
}

async function live(
  main: (context: ProcessContext) => Promise<void>,
  log: Logger,
  stopTelemetry: () => Promise<void>,
  shutdownDelayMs: number,
): Promise<void> {
  const health = createHealth()
  const controller = new AbortController()
  const stops: (() => Promise<void>)[] = [stopTelemetry]
  let isStopping = false

  const stop = async (reason: string, exitCode: number): Promise<void> => {
    if (isStopping) {
      log.warn({ reason }, 'told to stop again: ending at once')
      process.exit(exitCode || 1)
    }
    isStopping = true
    log.info({ reason }, 'stopping')
    health.drain()
    // Whoever balances load needs a moment to see that; until then calls still come, and are served.
    if (exitCode === 0 && shutdownDelayMs > 0) await pause(shutdownDelayMs)
    controller.abort()
    const timer = setTimeout(() => {
      log.error({ stopMsMax }, 'stopping takes too long: ending at once')
      process.exit(exitCode || 1)
    }, stopMsMax).unref()
    for (const step of stops.reverse())
      await step().catch((error: unknown) => log.error({ err: error }, 'a stop failed'))
    clearTimeout(timer)
    log.info('stopped')
    process.exit(exitCode)
  }
  const crash = (error: unknown): void => {
    log.fatal({ err: error }, 'unexpected error')
    if (isStopping) process.exit(1)
    void stop('unexpected error', 1)
  }

  process.on('SIGTERM', () => void stop('SIGTERM', 0))
  process.on('SIGINT', () => void stop('SIGINT', 0))
  process.on('uncaughtException', crash)
  process.on('unhandledRejection', crash)
  try {
    await main({ log, health, onStop: (step) => void stops.push(step), signal: controller.signal })
    health.markReady()
  } catch (error) {
    if (error instanceof ConfigError) throw error
    crash(error)
  }
}
