import { getOption, hasOption, type DescField, type FileRegistry } from '@bufbuild/protobuf'

/** `google.api.field_behavior`: who sets a field, and whether it must be set. */
export interface Behavior {
  readonly isRequired: boolean
  /** Set by the server alone. */
  readonly isReadOnly: boolean
  /** Set when it is created and never again. */
  readonly isImmutable: boolean
  /** Never answered. */
  readonly isWriteOnly: boolean
}

const [required, outputOnly, inputOnly, immutable, identifier] = [2, 3, 4, 5, 8]

/** Reads a field's annotation. */
export function behaviorOf(registry: FileRegistry, field: DescField): Behavior {
  const extension = registry.getExtension('google.api.field_behavior')
  const values = extension !== undefined && hasOption(field, extension) ? (getOption(field, extension) as number[]) : []
  return {
    isRequired: values.includes(required!),
    // Where a name identifies, the path says which, or the server chooses it.
    isReadOnly: values.includes(outputOnly!) || values.includes(identifier!),
    isImmutable: values.includes(immutable!),
    isWriteOnly: values.includes(inputOnly!),
  }
}
