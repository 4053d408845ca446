/* What a key command costs that asks somebody else: one round trip over a Unix socket. It sends the very bytes that
 * keyroster-lookup sends (request.h is made from them), reads to the end of the answer, and prints it. */
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "request.h"

int main(int argc, char **argv)
{
    static char bytes[65536];
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (argc != 2 || strlen(argv[1]) >= sizeof address.sun_path)
        return 64;
    strcpy(address.sun_path, argv[1]);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address) != 0)
        return 69;
    if (write(fd, request, sizeof request) != (ssize_t)sizeof request)
        return 74;
    size_t length = 0;
    ssize_t got;
    while (length < sizeof bytes && (got = read(fd, bytes + length, sizeof bytes - length)) > 0)
        length += (size_t)got;
    if (write(STDOUT_FILENO, bytes, length) != (ssize_t)length)
        return 74;
    return 0;
}
