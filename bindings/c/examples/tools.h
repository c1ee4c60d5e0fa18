/* The host's two tools: registered with the library, and answered when a call of one comes as an
 * event. What they say is decided in model.c and atlas.c. */
#ifndef ASK_TOOLS_H
#define ASK_TOOLS_H

#include "host.h"

/* Registers `model` and `lookup` for the session. Their calls come to the queue under these tags.
 */
void register_tools(const struct place *place, uint64_t model_tag, uint64_t atlas_tag);

/* DSPy asks its language model, which is this program. */
void answer_as_model(const spb_event *event);

/* The agent uses its tool, which is this program too. */
void answer_as_atlas(const spb_event *event);

#endif
