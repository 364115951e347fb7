/* libmodbus as a client: writes PORT ROUNDS. Each round waits for a line on stdin, makes one write of a register, and prints its
 * nanoseconds, from the call to its answer. So it can take turns with another client. */
#include <modbus.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static long long now_ns(void)
{
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    return at.tv_sec * 1000000000LL + at.tv_nsec;
}

int main(int count, char **words)
{
    char line[16];
    modbus_t *device = modbus_new_tcp("127.0.0.1", count > 1 ? atoi(words[1]) : 0);
    if (device == NULL || modbus_connect(device) < 0) return 1;
    modbus_set_slave(device, 1);
    setvbuf(stdout, NULL, _IOLBF, 0);
    puts("ready");
    while (fgets(line, sizeof line, stdin) != NULL) {
        for (int i = 0; i < atoi(line); i++) {
            long long begun = now_ns();
            if (modbus_write_register(device, 100, i % 1000) != 1) return 1;
            printf("%lld\n", now_ns() - begun);
        }
    }
    modbus_close(device);
    modbus_free(device);
    return 0;
}
