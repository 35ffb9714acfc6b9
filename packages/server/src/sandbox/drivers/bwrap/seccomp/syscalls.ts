export type Architecture = 'x64' | 'arm64'

/** How the kernel names an architecture to a filter (`AUDIT_ARCH_*`), and which system call numbers it has. */
export const architectures: Record<Architecture, { audit: number; known: readonly (readonly [first: number, last: number])[] }> = {
  x64: {
    audit: 0xc000_003e,
    known: [
      [0, 334],
      [424, 462],
    ],
  },
  arm64: {
    audit: 0xc000_00b7,
    known: [
      [0, 243],
      [260, 294],
      [424, 462],
    ],
  },
}

type Numbers = readonly [x64: number | null, arm64: number | null]

/** Calls that no program in a sandbox needs and that reach far into the kernel. Null: that architecture never had it. */
export const deniedCalls: Record<string, Numbers> = {
  // Modules, the running kernel, the machine.
  init_module: [175, 105],
  finit_module: [313, 273],
  delete_module: [176, 106],
  create_module: [174, null],
  query_module: [178, null],
  get_kernel_syms: [177, null],
  kexec_load: [246, 104],
  kexec_file_load: [320, 294],
  reboot: [169, 142],
  iopl: [172, null],
  ioperm: [173, null],
  modify_ldt: [154, null],
  // Mounts and namespaces.
  mount: [165, 40],
  umount2: [166, 39],
  pivot_root: [155, 41],
  chroot: [161, 51],
  open_tree: [428, 428],
  move_mount: [429, 429],
  fsopen: [430, 430],
  fsconfig: [431, 431],
  fsmount: [432, 432],
  fspick: [433, 433],
  mount_setattr: [442, 442],
  statmount: [457, 457],
  listmount: [458, 458],
  unshare: [272, 97],
  setns: [308, 268],
  // Looking into other processes and into the kernel.
  ptrace: [101, 117],
  process_vm_readv: [310, 270],
  process_vm_writev: [311, 271],
  process_madvise: [440, 440],
  process_mrelease: [448, 448],
  kcmp: [312, 272],
  pidfd_getfd: [438, 438],
  perf_event_open: [298, 241],
  bpf: [321, 280],
  userfaultfd: [323, 282],
  lookup_dcookie: [212, 18],
  syslog: [103, 116],
  // Keyrings are not namespaced.
  add_key: [248, 217],
  request_key: [249, 218],
  keyctl: [250, 219],
  // Clocks.
  settimeofday: [164, 170],
  clock_settime: [227, 112],
  adjtimex: [159, 171],
  clock_adjtime: [305, 266],
  // Administration.
  swapon: [167, 224],
  swapoff: [168, 225],
  acct: [163, 89],
  quotactl: [179, 60],
  quotactl_fd: [443, 443],
  sethostname: [170, 161],
  setdomainname: [171, 162],
  vhangup: [153, 58],
  personality: [135, 92],
  // Asynchronous I/O that bypasses this filter, and memory that no limit counts.
  io_uring_setup: [425, 425],
  io_uring_enter: [426, 426],
  io_uring_register: [427, 427],
  memfd_secret: [447, 447],
  // Files by handle go around mounts; fanotify sees other people's files.
  name_to_handle_at: [303, 264],
  open_by_handle_at: [304, 265],
  fanotify_init: [300, 262],
  fanotify_mark: [301, 263],
  // Memory placement belongs to the host; vmsplice is a frequent part of exploits.
  mbind: [237, 235],
  set_mempolicy: [238, 237],
  set_mempolicy_home_node: [450, 450],
  migrate_pages: [256, 238],
  move_pages: [279, 239],
  vmsplice: [278, 75],
  // Long dead.
  nfsservctl: [180, 42],
  uselib: [134, null],
  sysfs: [139, null],
  _sysctl: [156, null],
  ustat: [136, null],
  getpmsg: [181, null],
  putpmsg: [182, null],
  afs_syscall: [183, null],
  tuxcall: [184, null],
  security: [185, null],
  epoll_ctl_old: [214, null],
  epoll_wait_old: [215, null],
  vserver: [236, null],
}

/** Memory that belongs to no process's resident set: denied where only that set is watched, allowed under a memory cgroup. */
export const unwatchedMemoryCalls: Record<string, Numbers> = { memfd_create: [319, 279], shmget: [29, 194] }

/** Calls whose arguments decide. `clone3` hides its flags behind a pointer, so it is said not to exist and libc falls back to `clone`. */
export const checkedCalls: Record<'clone' | 'clone3' | 'socket' | 'ioctl', Numbers> = {
  clone: [56, 220],
  clone3: [435, 435],
  socket: [41, 198],
  ioctl: [16, 29],
}

export function numberOn(architecture: Architecture, numbers: Numbers): number | null {
  return numbers[architecture === 'x64' ? 0 : 1]
}
