/* What a question asks for, and what the tool has answered so far: the facts the model's rules work
 * on. */
#ifndef ASK_FINDINGS_H
#define ASK_FINDINGS_H

#include "text.h"

#include <cjson/cJSON.h>

enum { FINDINGS_MAX = 32, SUBJECTS_MAX = 8 };

/* One call of the tool as the prompt tells it. `value` is NULL when the tool could not say. */
struct finding {
    char *subject;
    char *fact;
    cJSON *value;
};

struct findings {
    struct finding items[FINDINGS_MAX];
    size_t count;
};

/* The calls and observations in an agent's trajectory. */
void findings_read(struct findings *findings, const char *user);
void findings_free(struct findings *findings);
const struct finding *findings_get(const struct findings *findings, const char *subject,
                                   const char *fact);

/* What the question is about: its proper names, and those of `offered` facts that its words ask
 * for. */
struct topic {
    char *subjects[SUBJECTS_MAX];
    size_t subject_count;
    char *facts[SUBJECTS_MAX];
    size_t fact_count;
};

struct prompt_fields;
void topic_read(struct topic *topic, const char *question, const struct prompt_fields *offered);
void topic_free(struct topic *topic);

#endif
