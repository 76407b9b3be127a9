/** What V8 does otherwise where a process has one processor. */
import { availableParallelism } from 'node:os'
import { setFlagsFromString } from 'node:v8'

/**
 * Lets the main thread collect garbage without helpers if there is one processor, by affinity or by the container's limit.
 *
 * There, helpers take the processor away from the thread that they help: what takes it 0.6 ms alone holds up every answer
 * for 2 to 10 ms when it waits for their share, and while four of them mark the heap it gets a fifth of the processor for
 * 50 ms (docs/decisions/0019). To be called early: what has begun goes on as it began.
 */
export function collectAlone(): void {
  if (availableParallelism() !== 1) return
  setFlagsFromString('--no-parallel-scavenge')
  setFlagsFromString('--no-concurrent-marking')
}
