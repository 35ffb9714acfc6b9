/** PostgreSQL refuses to run as root. Decides as whom it runs, and how that user reaches folders that only root may enter. */
import { chownSync, lchownSync, readFileSync, readdirSync, statSync } from 'node:fs'
import { userInfo } from 'node:os'
import { join } from 'node:path'
import { AppError } from '../kernel/index.ts'

export type User = { uid: number; gid: number }
/** `owner` runs PostgreSQL. `initialiser` runs initdb, which wants a user with a name. Both absent: we are not root, and everything is ours. */
export type Users = { owner: User; initialiser: User } | { owner?: undefined; initialiser?: undefined }

const ownPostgres = 'or use your own PostgreSQL by LONGHAUL_DATABASE_URL'
/** Belongs to nobody by Debian's, Red Hat's and systemd's conventions. `nobody` itself is shared with who knows whom. */
const spareId = 64_780

/** `folder` is given to the owner. When it has been given before, whoever has it keeps it. */
export function chooseUsers(folder: string): Users {
  const us = process.getuid?.()
  if (us !== 0) {
    const { uid } = statSync(folder)
    if (us !== undefined && uid !== us)
      throw new AppError('unavailable', `${folder} belongs to user ${uid}, and this is user ${us}. Start as that user, chown the folder, ${ownPostgres}.`)
    return assertNamed(us)
  }
  if (process.platform !== 'linux') throw new AppError('unavailable', `PostgreSQL does not run as root. Start as an ordinary user, ${ownPostgres}.`)
  const initialiser = findNamed()
  const { uid, gid } = statSync(folder)
  if (uid !== 0) return { owner: { uid, gid }, initialiser }
  for (const owner of [{ uid: spareId, gid: spareId }, initialiser]) {
    try {
      chownSync(folder, owner.uid, owner.gid)
      return { owner, initialiser }
    } catch {
      // A root without the right or without other users: a container with a single user, or without CAP_CHOWN.
    }
  }
  throw new AppError(
    'unavailable',
    `PostgreSQL does not run as root, and this root cannot become another user (CAP_CHOWN, CAP_SETUID and CAP_SETGID are needed). Start as an ordinary user, ${ownPostgres}.`,
  )
}

/** Gives a folder and all in it to a user. Links are not followed. */
export function giveTo({ uid, gid }: User, folder: string): void {
  for (const name of readdirSync(folder, { recursive: true, encoding: 'utf8' })) lchownSync(join(folder, name), uid, gid)
  lchownSync(folder, uid, gid)
}

function assertNamed(uid: number | undefined): Users {
  try {
    userInfo()
    return {}
  } catch (cause) {
    throw new AppError('unavailable', `User ${uid} has no entry in /etc/passwd, which PostgreSQL's initdb wants. Add one, ${ownPostgres}.`, cause)
  }
}

function findNamed(): User {
  const entries = readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .map((line) => line.split(':'))
    .filter((entry) => Number(entry[2]) > 0)
  const entry = entries.find(([name]) => name === 'nobody') ?? entries[0]
  if (!entry) throw new AppError('unavailable', `/etc/passwd has no user but root, and PostgreSQL does not run as root. Add a user, ${ownPostgres}.`)
  return { uid: Number(entry[2]), gid: Number(entry[3]) }
}
