import { invalidArgument } from './status.ts'

/**
 * Reads which fields an Update request changes: those of its mask, all of them for `*`, or, without a mask, those
 * that are set. `isSet` has an entry for each field that can be changed; any other in the mask is refused.
 */
export function fieldsToChange<Field extends string>(
  mask: string[] | undefined,
  isSet: Record<Field, boolean>,
): Set<Field> {
  const fields = Object.keys(isSet) as Field[]
  if (mask === undefined || mask.length === 0) return new Set(fields.filter((field) => isSet[field]))
  if (mask.length === 1 && mask[0] === '*') return new Set(fields)
  const foreign = mask.find((path) => !Object.hasOwn(isSet, path))
  if (foreign === undefined) return new Set(mask as Field[])
  throw invalidArgument({
    field: 'update_mask',
    description: `'${foreign.slice(0, 63)}' is not one of ${fields.join(', ')}`,
  })
}
