import { Metadata, status } from '@grpc/grpc-js'
import type { UnaryEnd, Upstream } from './transcoder/transcoder.ts'

// A service that is started again is back within about two seconds.
const pausesMs = [50, 100, 200, 400, 800, 1_000, 1_000]
// Calls that wait to be repeated hold their request in memory; beyond this many an outage is answered at once.
const waitingMax = 1_000

/**
 * Repeats unary calls that answer UNAVAILABLE, where that is safe and the deadline allows it: for about three seconds, so
 * that a service which is started again was never gone. Streams are not repeated: whoever watches reconnects.
 */
export function withRetries(upstream: Upstream): Upstream {
  let waiting = 0
  return {
    serverStream: (call) => upstream.serverStream(call),
    unary(call, end) {
      if (!call.isRepeatable) return upstream.unary(call, end)
      let timer: NodeJS.Timeout | undefined
      let attempt = 0
      let isCancelled = false
      const onEnd: UnaryEnd = (error, answer, headers) => {
        const pauseMs = pausesMs[attempt]
        const isOver = error === null || error.code !== status.UNAVAILABLE || isCancelled || pauseMs === undefined
        if (isOver || waiting >= waitingMax || Date.now() + pauseMs >= call.deadline) return end(error, answer, headers)
        attempt++
        waiting++
        timer = setTimeout(
          () => {
            waiting--
            timer = undefined
            current = upstream.unary(call, onEnd)
          },
          pauseMs * (0.75 + Math.random() / 2),
        )
      }
      let current = upstream.unary(call, onEnd)
      return {
        cancel() {
          isCancelled = true
          if (timer === undefined) return current.cancel()
          clearTimeout(timer)
          waiting--
          end(cancelled(), undefined, undefined)
        },
      }
    },
  }
}

function cancelled(): Parameters<UnaryEnd>[0] {
  return Object.assign(new Error('cancelled'), {
    code: status.CANCELLED,
    details: 'the caller went away',
    metadata: new Metadata(),
  })
}
