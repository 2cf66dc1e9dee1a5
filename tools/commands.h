/* SPDX-License-Identifier: Apache-2.0 */
/* The commands of whatsappctl. */
#ifndef WA_TOOLS_COMMANDS_H
#define WA_TOOLS_COMMANDS_H

#include "ctl_arguments.h"

/* One for each command: reads its arguments, does its work. @return an exit code */
int ctl_stats(ctl_t *ctl, ctl_arguments_t arguments);
int ctl_verify(ctl_t *ctl, ctl_arguments_t arguments);
int ctl_rebuild(ctl_t *ctl, ctl_arguments_t arguments);
int ctl_dump(ctl_t *ctl, ctl_arguments_t arguments);
int ctl_load(ctl_t *ctl, ctl_arguments_t arguments);
int ctl_backup(ctl_t *ctl, ctl_arguments_t arguments);
int ctl_compact(ctl_t *ctl, ctl_arguments_t arguments);
int ctl_retime(ctl_t *ctl, ctl_arguments_t arguments);

#endif
