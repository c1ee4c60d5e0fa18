/* The tool `lookup`: facts about countries from a table. */
#include "atlas.h"

#include <cjson/cJSON.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct country {
    const char *name;
    const char *capital;
    const char *currency;
    const char *language;
    double population;
    double area_km2;
};

static const struct country COUNTRIES[] = {
    {"Brazil", "Brasília", "real", "Portuguese", 212600000, 8515767},
    {"Cuba", "Havana", "peso", "Spanish", 10000000, 109884},
    {"Egypt", "Cairo", "pound", "Arabic", 114500000, 1002450},
    {"Finland", "Helsinki", "euro", "Finnish", 5600000, 338455},
    {"Italy", "Rome", "euro", "Italian", 58900000, 302073},
    {"Japan", "Tokyo", "yen", "Japanese", 123800000, 377975},
    {"Kenya", "Nairobi", "shilling", "Swahili", 55100000, 580367},
    {"New Zealand", "Wellington", "dollar", "English", 5200000, 268021},
    {"Norway", "Oslo", "krone", "Norwegian", 5550000, 385207},
    {"Peru", "Lima", "sol", "Spanish", 34000000, 1285216},
    {"Poland", "Warsaw", "złoty", "Polish", 36600000, 313931},
    {"Viet Nam", "Hanoi", "đồng", "Vietnamese", 101000000, 331690},
};

static const struct country *find(const char *name)
{
    for (size_t i = 0; i < sizeof COUNTRIES / sizeof COUNTRIES[0]; i++) {
        if (strcasecmp(COUNTRIES[i].name, name) == 0) {
            return &COUNTRIES[i];
        }
    }
    return NULL;
}

static cJSON *value_of(const struct country *country, const char *fact)
{
    if (strcmp(fact, "capital") == 0) {
        return cJSON_CreateString(country->capital);
    }
    if (strcmp(fact, "currency") == 0) {
        return cJSON_CreateString(country->currency);
    }
    if (strcmp(fact, "language") == 0) {
        return cJSON_CreateString(country->language);
    }
    if (strcmp(fact, "population") == 0) {
        return cJSON_CreateNumber(country->population);
    }
    return strcmp(fact, "area") == 0 ? cJSON_CreateNumber(country->area_km2) : NULL;
}

static bool answer(const char *name, const char *fact, struct text *out)
{
    const struct country *country = find(name);
    cJSON *value = country != NULL ? value_of(country, fact) : NULL;
    if (value == NULL) {
        text_add(out, "the atlas has no %s of %s", fact, name);
        return false;
    }
    cJSON *result = cJSON_CreateObject();
    cJSON_AddStringToObject(result, "country", country->name);
    cJSON_AddStringToObject(result, "fact", fact);
    cJSON_AddItemToObject(result, "value", value);
    char *json = cJSON_PrintUnformatted(result);
    text_add(out, "%s", json);
    free(json);
    cJSON_Delete(result);
    return true;
}

bool atlas_lookup(const char *arguments_json, struct text *out)
{
    cJSON *arguments = cJSON_Parse(arguments_json);
    const char *name = cJSON_GetStringValue(cJSON_GetObjectItem(arguments, "country"));
    const char *fact = cJSON_GetStringValue(cJSON_GetObjectItem(arguments, "fact"));
    bool known = false;
    if (name == NULL || fact == NULL) {
        text_add(out, "the atlas needs a country and a fact");
    } else {
        known = answer(name, fact, out);
    }
    cJSON_Delete(arguments);
    return known;
}

const char *const ATLAS_DESCRIPTION = "Looks up one fact about one country in the host's atlas.";

const char *const ATLAS_SCHEMA =
    "{\"type\":\"object\",\"additionalProperties\":false,\"required\":[\"country\",\"fact\"],"
    "\"properties\":{\"country\":{\"type\":\"string\",\"description\":\"The country's English "
    "name.\"},"
    "\"fact\":{\"enum\":[\"capital\",\"currency\",\"language\",\"population\",\"area\"]}}}";
