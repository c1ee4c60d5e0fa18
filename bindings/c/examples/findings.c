/* Reading questions and trajectories; see findings.h. */
#include "findings.h"

#include "prompt.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* Words that ask for a fact without naming it. */
static const char *const SYNONYMS[][2] = {
    {"people", "population"},   {"inhabitants", "population"},
    {"populous", "population"}, {"money", "currency"},
    {"pay", "currency"},        {"spoken", "language"},
    {"speak", "language"},      {"large", "area"},
    {"larger", "area"},         {"big", "area"},
    {"bigger", "area"},         {"size", "area"},
};

static cJSON *parse_field(const char *user, const char *kind, size_t index)
{
    char name[64];
    snprintf(name, sizeof name, "%s_%zu", kind, index);
    struct slice content = prompt_field(user, name);
    return content.len > 0 ? cJSON_ParseWithLength(content.ptr, content.len) : NULL;
}

static const char *string_in(const cJSON *object, const char *key)
{
    return cJSON_GetStringValue(cJSON_GetObjectItem(object, key));
}

void findings_read(struct findings *findings, const char *user)
{
    for (size_t step = 0; findings->count < FINDINGS_MAX; step++) {
        cJSON *arguments = parse_field(user, "tool_args", step);
        if (arguments == NULL) {
            return;
        }
        const char *subject = string_in(arguments, "country");
        const char *fact = string_in(arguments, "fact");
        if (subject != NULL && fact != NULL) {
            /* An observation that is not an object is the tool's failure, told to the agent in
             * words. */
            cJSON *observed = parse_field(user, "observation", step);
            struct finding *finding = &findings->items[findings->count++];
            finding->subject = slice_copy(slice_of(subject));
            finding->fact = slice_copy(slice_of(fact));
            finding->value = cJSON_DetachItemFromObject(observed, "value");
            cJSON_Delete(observed);
        }
        cJSON_Delete(arguments);
    }
}

void findings_free(struct findings *findings)
{
    for (size_t i = 0; i < findings->count; i++) {
        free(findings->items[i].subject);
        free(findings->items[i].fact);
        cJSON_Delete(findings->items[i].value);
    }
    *findings = (struct findings){0};
}

const struct finding *findings_get(const struct findings *findings, const char *subject,
                                   const char *fact)
{
    for (size_t i = 0; i < findings->count; i++) {
        const struct finding *finding = &findings->items[i];
        if (strcasecmp(finding->subject, subject) == 0 && strcmp(finding->fact, fact) == 0) {
            return finding;
        }
    }
    return NULL;
}

static void add_fact(struct topic *topic, struct slice fact)
{
    for (size_t i = 0; i < topic->fact_count; i++) {
        if (slice_is(fact, topic->facts[i])) {
            return;
        }
    }
    if (topic->fact_count < SUBJECTS_MAX) {
        topic->facts[topic->fact_count++] = slice_copy(fact);
    }
}

static bool same_word(struct slice word, struct slice other)
{
    return word.len == other.len && strncasecmp(word.ptr, other.ptr, word.len) == 0;
}

/* Adds the offered fact that `word` names, itself or by a synonym. */
static void read_fact(struct topic *topic, struct slice word, const struct prompt_fields *offered)
{
    for (size_t i = 0; i < offered->count; i++) {
        if (same_word(word, offered->names[i])) {
            add_fact(topic, offered->names[i]);
        }
    }
    for (size_t i = 0; i < sizeof SYNONYMS / sizeof SYNONYMS[0]; i++) {
        for (size_t j = 0; same_word(word, slice_of(SYNONYMS[i][0])) && j < offered->count; j++) {
            if (slice_is(offered->names[j], SYNONYMS[i][1])) {
                add_fact(topic, offered->names[j]);
            }
        }
    }
}

/* Whether a word is written like a name. The first word of a question is large for another reason.
 */
static bool is_name(struct slice word, const char *question)
{
    return isupper((unsigned char)word.ptr[0]) != 0 && word.ptr != question;
}

static void add_subject(struct topic *topic, struct slice name)
{
    if (topic->subject_count < SUBJECTS_MAX) {
        topic->subjects[topic->subject_count++] = slice_copy(name);
    }
}

void topic_read(struct topic *topic, const char *question, const struct prompt_fields *offered)
{
    const char *at = question;
    struct slice name = {0};
    for (struct slice word = next_word(&at); word.len > 0; word = next_word(&at)) {
        read_fact(topic, word, offered);
        if (!is_name(word, question)) {
            continue;
        }
        /* Names of several words are told by what stands between them: one blank. */
        if (name.len > 0 && name.ptr + name.len + 1 == word.ptr && name.ptr[name.len] == ' ') {
            free(topic->subjects[--topic->subject_count]);
            name.len += 1 + word.len;
        } else {
            name = word;
        }
        add_subject(topic, name);
        if (topic->subject_count == SUBJECTS_MAX) {
            return;
        }
    }
}

void topic_free(struct topic *topic)
{
    for (size_t i = 0; i < topic->subject_count; i++) {
        free(topic->subjects[i]);
    }
    for (size_t i = 0; i < topic->fact_count; i++) {
        free(topic->facts[i]);
    }
    *topic = (struct topic){0};
}
