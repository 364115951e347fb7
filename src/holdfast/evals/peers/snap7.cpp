// An S7 device for tests: Snap7's own server, with its memory to be set and read by lines on standard input.
//
//   snap7_server PORT PDU_BYTES MAX_CLIENTS [numbered]      PDU_BYTES 0: what the client asks for; numbered: word n of DB10 holds n
//   put AREA DB START HEX     get AREA DB START COUNT     writes     reads     clients
//
// AREA is I, Q, M or DB. Each line is answered by one line. It ends with standard input.
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <iostream>
#include <map>
#include <sstream>
#include <string>
#include <unistd.h>
#include "s7_server.h"

static std::atomic<long> writes(0), reads(0);

static void S7API on_event(void *, PSrvEvent event, int) {
    if (event->EvtCode == evcDataWrite) writes++;
}

// The server tells of a write after it has answered it: a count that still moves is not yet the count.
static long settled(const std::atomic<long> &count) {
    for (;;) {
        long before = count;
        usleep(30000);
        if (before == count) return before;
    }
}

static void S7API on_read(void *, PSrvEvent, int) { reads++; }

struct Memory { byte *data; int size; };
static std::map<std::string, Memory> memory;

static void make(TSnap7Server &server, const std::string &area, int code, word db, int size) {
    byte *data = static_cast<byte *>(calloc(size, 1));
    memory[area + std::to_string(db)] = Memory{data, size};
    if (server.RegisterArea(code, db, data, size) != 0) { std::cout << "area " << area << " refused" << std::endl; exit(3); }
}

int main(int argc, char **argv) {
    if (argc != 4 && argc != 5) return 2;
    TSnap7Server server;
    word port = static_cast<word>(atoi(argv[1]));
    int pdu = atoi(argv[2]), clients = atoi(argv[3]);
    server.SetParam(p_u16_LocalPort, &port);
    server.SetParam(p_i32_MaxClients, &clients);
    if (pdu != 0) server.SetParam(p_i32_PDURequest, &pdu);
    make(server, "I", srvAreaPE, 0, 16);
    make(server, "Q", srvAreaPA, 0, 16);
    make(server, "M", srvAreaMK, 0, 128);
    make(server, "DB", srvAreaDB, 1, 64);
    make(server, "DB", srvAreaDB, 10, 4096);
    if (argc == 5) {
        Memory db = memory["DB10"];
        for (int n = 0; n < db.size / 2; n++) { db.data[2 * n] = static_cast<byte>(n >> 8); db.data[2 * n + 1] = static_cast<byte>(n); }
    }
    server.SetEventsCallBack(on_event, nullptr);
    server.SetReadEventsCallBack(on_read, nullptr);
    server.EventMask = 0xFFFFFFFF;
    int error = server.StartTo("127.0.0.1");
    if (error != 0) { std::cout << "not started: " << error << std::endl; return 1; }
    std::cout << "ready" << std::endl;
    std::string line;
    while (std::getline(std::cin, line)) {
        std::istringstream words(line);
        std::string what, area, hex;
        int db = 0, start = 0, count = 0;
        words >> what;
        if (what == "writes") { std::cout << settled(writes) << std::endl; continue; }
        if (what == "reads") { std::cout << settled(reads) << std::endl; continue; }
        if (what == "clients") { std::cout << server.ClientsCount << std::endl; continue; }
        words >> area >> db >> start;
        auto found = memory.find(area + std::to_string(db));
        if (found == memory.end()) { std::cout << "no such area" << std::endl; continue; }
        byte *at = found->second.data + start;
        if (what == "put") {
            words >> hex;
            for (size_t i = 0; i + 1 < hex.size() && start + static_cast<int>(i / 2) < found->second.size; i += 2)
                at[i / 2] = static_cast<byte>(strtol(hex.substr(i, 2).c_str(), nullptr, 16));
            std::cout << "done" << std::endl;
        } else {
            words >> count;
            for (int i = 0; i < count && start + i < found->second.size; i++) printf("%02x", at[i]);
            printf("\n");
            fflush(stdout);
        }
    }
    server.Stop();
    return 0;
}
