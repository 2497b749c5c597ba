/* What the fault suite does to a process from below, by LD_PRELOAD. Each part is off unless its variable is set.
 *
 * FAULT_CLOCK=FILE    CLOCK_REALTIME is as many seconds off as the file says
 * FAULT_BOOT=FILE     /proc/sys/kernel/random/boot_id is this file
 * FAULT_HOST=NAME     the name of this host
 * FAULT_REFUSE=FILE   calls that the file names are refused: link, flock, rename, fork, thread
 * FAULT_SLOW=MS       what is opened, written or synced in FAULT_HOME takes so long
 * FAULT_TRACE=FILE    every change to a file in FAULT_HOME that is a journal is told:
 *                     kind (w, t, u, s), length of the name, offset, length of the data; name; data
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/types.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

static const char *BOOT = "/proc/sys/kernel/random/boot_id";

static long long read_clock_offset(void) {
    const char *path = getenv("FAULT_CLOCK");
    char text[32] = {0};
    if (!path) return 0;
    int fd = syscall(SYS_openat, AT_FDCWD, path, O_RDONLY, 0);
    if (fd < 0) return 0;
    if (syscall(SYS_read, fd, text, sizeof text - 1) < 0) text[0] = 0;
    syscall(SYS_close, fd);
    return atoll(text);
}

int clock_gettime(clockid_t id, struct timespec *now) {
    int result = syscall(SYS_clock_gettime, id, now);
    if (result == 0 && id == CLOCK_REALTIME) now->tv_sec += read_clock_offset();
    return result;
}

int gettimeofday(struct timeval *now, void *zone) {
    (void)zone;
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    now->tv_sec = t.tv_sec;
    now->tv_usec = t.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *where) {
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    if (where) *where = t.tv_sec;
    return t.tv_sec;
}

static void be_slow(const char *path) {
    const char *home = getenv("FAULT_HOME"), *ms = getenv("FAULT_SLOW");
    if (ms && home && path && strstr(path, home)) usleep(1000 * atoi(ms));
}

/* The name of a descriptor's file, if it is in the home. */
static int find_name(int fd, char *name, size_t size) {
    const char *home = getenv("FAULT_HOME");
    char link[32];
    if (!home) return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, name, size - 1);
    if (n <= 0) return 0;
    name[n] = 0;
    return strstr(name, home) != NULL;
}

static void tell(char kind, const char *name, int64_t offset, const void *data, int64_t length) {
    const char *path = getenv("FAULT_TRACE");
    if (!path || !strstr(name, "/journal.")) return;
    int fd = syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_CREAT | O_APPEND, 0600);
    if (fd < 0) return;
    int64_t head[4] = {kind, (int64_t)strlen(name), offset, data ? length : 0};
    if (!data) head[2] = kind == 't' ? length : 0;
    char *all = malloc(sizeof head + head[1] + head[3]);
    memcpy(all, head, sizeof head);
    memcpy(all + sizeof head, name, head[1]);
    if (data) memcpy(all + sizeof head + head[1], data, head[3]);
    if (syscall(SYS_write, fd, all, sizeof head + head[1] + head[3]) < 0) abort();
    free(all);
    syscall(SYS_close, fd);
}

static int open_any(int at, const char *path, int flags, mode_t mode) {
    const char *boot = getenv("FAULT_BOOT");
    be_slow(path);
    if (boot && strcmp(path, BOOT) == 0) path = boot;
    return syscall(SYS_openat, at, path, flags, mode);
}

#define WITH_MODE                                              \
    mode_t mode = 0;                                           \
    if (flags & (O_CREAT | O_TMPFILE)) {                       \
        va_list more;                                          \
        va_start(more, flags);                                 \
        mode = va_arg(more, mode_t);                           \
        va_end(more);                                          \
    }

int open(const char *path, int flags, ...) { WITH_MODE return open_any(AT_FDCWD, path, flags, mode); }
int open64(const char *path, int flags, ...) { WITH_MODE return open_any(AT_FDCWD, path, flags, mode); }
int openat(int at, const char *path, int flags, ...) { WITH_MODE return open_any(at, path, flags, mode); }
int openat64(int at, const char *path, int flags, ...) { WITH_MODE return open_any(at, path, flags, mode); }

static ssize_t write_at(int fd, const void *data, size_t length, off_t offset) {
    char name[4096];
    int ours = find_name(fd, name, sizeof name);
    if (ours) be_slow(name);
    ssize_t done = syscall(SYS_pwrite64, fd, data, length, offset);
    if (ours && done > 0) tell('w', name, offset, data, done);
    return done;
}

ssize_t pwrite(int fd, const void *data, size_t length, off_t offset) { return write_at(fd, data, length, offset); }
ssize_t pwrite64(int fd, const void *data, size_t length, off_t offset) { return write_at(fd, data, length, offset); }

static int truncate_to(int fd, off_t length) {
    char name[4096];
    int ours = find_name(fd, name, sizeof name);
    int result = syscall(SYS_ftruncate, fd, length);
    if (ours && result == 0) tell('t', name, 0, NULL, length);
    return result;
}

int ftruncate(int fd, off_t length) { return truncate_to(fd, length); }
int ftruncate64(int fd, off_t length) { return truncate_to(fd, length); }

static int sync_to_disk(int fd, long call) {
    char name[4096];
    int ours = find_name(fd, name, sizeof name);
    if (ours) be_slow(name);
    int result = syscall(call, fd);
    if (ours && result == 0) tell('s', name, 0, NULL, 0);
    return result;
}

int fsync(int fd) { return sync_to_disk(fd, SYS_fsync); }
int fdatasync(int fd) { return sync_to_disk(fd, SYS_fdatasync); }

static int is_refused(const char *call) {
    const char *path = getenv("FAULT_REFUSE");
    char text[64] = {0};
    if (!path) return 0;
    int fd = syscall(SYS_openat, AT_FDCWD, path, O_RDONLY, 0);
    if (fd < 0) return 0;
    if (syscall(SYS_read, fd, text, sizeof text - 1) < 0) text[0] = 0;
    syscall(SYS_close, fd);
    return strstr(text, call) != NULL;
}

static int refuse(int why) {
    errno = why;
    return -1;
}

int linkat(int from_at, const char *from, int to_at, const char *to, int flags) {
    if (is_refused("link")) return refuse(EPERM);
    return syscall(SYS_linkat, from_at, from, to_at, to, flags);
}

int link(const char *from, const char *to) { return linkat(AT_FDCWD, from, AT_FDCWD, to, 0); }

int flock(int fd, int operation) {
    if (is_refused("flock")) return refuse(ENOSYS);
    return syscall(SYS_flock, fd, operation);
}

int renameat(int from_at, const char *from, int to_at, const char *to) {
    if (is_refused("rename")) return refuse(EACCES);
    return syscall(SYS_renameat2, from_at, from, to_at, to, 0);
}

int rename(const char *from, const char *to) { return renameat(AT_FDCWD, from, AT_FDCWD, to); }

pid_t fork(void) {
    pid_t (*real)(void) = dlsym(RTLD_NEXT, "fork");
    return is_refused("fork") ? refuse(EAGAIN) : real();
}

/* A wrapper cannot return twice into the caller's frame, as vfork does; fork can. */
pid_t vfork(void) { return fork(); }

int posix_spawn(pid_t *pid, const char *path, const posix_spawn_file_actions_t *actions,
                const posix_spawnattr_t *attributes, char *const argv[], char *const environment[]) {
    __typeof__(&posix_spawn) real = dlsym(RTLD_NEXT, "posix_spawn");
    return is_refused("fork") ? EAGAIN : real(pid, path, actions, attributes, argv, environment);
}

int pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *), void *argument) {
    __typeof__(&pthread_create) real = dlsym(RTLD_NEXT, "pthread_create");
    return is_refused("thread") ? EAGAIN : real(thread, attributes, run, argument);
}

int gethostname(char *name, size_t size) {
    struct utsname system;
    if (uname(&system) < 0) return -1;
    strncpy(name, system.nodename, size);
    return 0;
}

int uname(struct utsname *system) {
    const char *host = getenv("FAULT_HOST");
    int result = syscall(SYS_uname, system);
    if (result == 0 && host) strncpy(system->nodename, host, sizeof system->nodename - 1);
    return result;
}
