/**
 * How long the proofs run. `npm test` takes the defaults; a nightly run sets FLOWFORGE_MODEL_STEPS=1000000.
 * A failure of the model test prints its seed; FLOWFORGE_MODEL_SEED runs it again and makes it as short as it can.
 */
import { integer, readConfig } from '@flowforge/runtime/config'

const stepsDefault = 4_000

const values = readConfig({
  /** Steps of the model test, in all of its runs together. */
  modelSteps: integer('FLOWFORGE_MODEL_STEPS', { default: stepsDefault, min: 100, max: 100_000_000 }),
  modelSeed: integer('FLOWFORGE_MODEL_SEED', { default: 0, min: 0, max: 2 ** 31 - 1 }),
})

export const proofs = {
  modelSteps: values.modelSteps,
  /** Another one each time, unless one was given. */
  modelSeed: values.modelSeed || Date.now() % 2 ** 31,
  isReplay: values.modelSeed > 0,
  /** True if there is time for everything. */
  isNightly: values.modelSteps > stepsDefault,
}
