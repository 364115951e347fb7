/* libmodbus as a Modbus TCP device: server PORT. Register n holds n at first; registers from 9000 on can't be written.
 * Says "ready"; then answers each line of stdin: "writes" with the number of write requests, "holds N" with register N. */
#include <errno.h>
#include <modbus.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/select.h>
#include <unistd.h>

enum { REGISTERS = 10000, LOCKED = 9000, CLIENTS = 16 };

int main(int count, char **words)
{
    uint8_t query[MODBUS_TCP_MAX_ADU_LENGTH];
    char line[64];
    long writes = 0;
    int last, listening;
    fd_set all;
    modbus_t *device = modbus_new_tcp("127.0.0.1", count > 1 ? atoi(words[1]) : 0);
    modbus_mapping_t *map = modbus_mapping_new(REGISTERS, REGISTERS, REGISTERS, REGISTERS);
    if (device == NULL || map == NULL) return 1;
    for (int i = 0; i < REGISTERS; i++) {
        map->tab_registers[i] = map->tab_input_registers[i] = (uint16_t)i;
        map->tab_bits[i] = map->tab_input_bits[i] = i % 3 == 0;
    }
    listening = modbus_tcp_listen(device, CLIENTS);
    if (listening < 0) {
        fprintf(stderr, "%s\n", modbus_strerror(errno));
        return 1;
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    setvbuf(stdin, NULL, _IONBF, 0);
    puts("ready");
    FD_ZERO(&all);
    FD_SET(STDIN_FILENO, &all);
    FD_SET(listening, &all);
    last = listening;
    for (;;) {
        fd_set due = all;
        if (select(last + 1, &due, NULL, NULL, NULL) < 0) return 1;
        for (int fd = 0; fd <= last; fd++) {
            if (!FD_ISSET(fd, &due)) continue;
            if (fd == STDIN_FILENO) {
                if (fgets(line, sizeof line, stdin) == NULL) return 0;
                if (strncmp(line, "holds ", 6) == 0) printf("%u\n", map->tab_registers[atoi(line + 6) % REGISTERS]);
                else printf("%ld\n", writes);
            } else if (fd == listening) {
                int taken = modbus_tcp_accept(device, &listening);
                if (taken < 0 || taken >= FD_SETSIZE) continue;
                FD_SET(taken, &all);
                if (taken > last) last = taken;
            } else {
                int length;
                modbus_set_socket(device, fd);
                do length = modbus_receive(device, query); while (length == 0);
                if (length < 0) {
                    close(fd);
                    FD_CLR(fd, &all);
                    continue;
                }
                int function = query[7], at = query[8] << 8 | query[9];
                if (function == 5 || function == 6 || function == 15 || function == 16) {
                    writes++;
                    if (at >= LOCKED) {
                        modbus_reply_exception(device, query, MODBUS_EXCEPTION_ILLEGAL_DATA_ADDRESS);
                        continue;
                    }
                }
                modbus_reply(device, query, length, map);
            }
        }
    }
}
