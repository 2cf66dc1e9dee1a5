/* SPDX-License-Identifier: Apache-2.0 */
/* What happens where there is no memory. */
#include "base/memory.h"

#include <stdlib.h>
#include <unistd.h>

int wa_memory_abort(int rv)
{
    static const char text[] = "mod_whatsapp: there is no memory, this process ends\n";

    (void)rv;
    (void)!write(STDERR_FILENO, text, sizeof(text) - 1);
    abort();
}
