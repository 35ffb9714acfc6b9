/** Images as roots of sandboxes, as whoever wants one names it. */
import { z } from 'zod'

const reference = String.raw`[a-z0-9.-]+(:\d{1,5})?(\/[a-z0-9][a-z0-9._-]*)+@sha256:[0-9a-f]{64}`

/** A registry's, by its digest. */
export const ImageReference = z
  .string()
  .max(600)
  .regex(new RegExp(`^${reference}$`), 'must be registry.example.com/name@sha256:…, with the digest and without a tag')

/** That, or the path, beside `agent/`, of what `docker save` writes or of a layout of the OCI, as a folder or a tar archive. */
export const ImageName = z
  .string()
  .max(600)
  .regex(
    new RegExp(String.raw`^(\.\/)?[\w-][\w.-]*(\/[\w-][\w.-]*)*$|^${reference}$`),
    'must be the path of an image beside agent/, such as ./image.tar, or registry.example.com/name@sha256:…, with the digest and without a tag',
  )
