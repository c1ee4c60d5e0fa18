/*
 * Values cross the boundary and come back the same: every kind of document, every scalar, blobs
 * and tensors of every element type; and what cannot be a value is refused by name.
 */
#include <float.h>
#include <math.h>

#include "check.h"

static void documents_keep_their_bytes(void) {
    static const char *const documents[] = {
        "null", "true", " [1, 2.50 ,\"x\"] ", "{\"b\":1,\"a\":{\"c\":[]}}", "9223372036854775807",
        "-9223372036854775808", "18446744073709551615", "\"\\ud83d\\ude00\"", "\"h\xc3\xa9llo\"",
        "1e308", "{\"$$spb\":1}",
    };
    for (size_t i = 0; i < sizeof documents / sizeof *documents; i++) {
        spb_value *value = check_value(documents[i]);
        CHECK(check_json_is(value, documents[i]));
        spb_value *clone;
        OK(spb_value_clone(value, &clone, ERR));
        spb_value_free(value);
        CHECK(check_json_is(clone, documents[i]));
        CHECK(spb_value_attachment_count(clone) == 0);
        spb_value_free(clone);
    }
}

static void faulty_documents_are_refused_by_place(void) {
    static const struct { const char *json; spb_status status; const char *says; } faults[] = {
        {"", SPB_E_INVALID_ARGUMENT, "at $"},
        {"{\"a\":[0,NaN]}", SPB_E_INVALID_ARGUMENT, "at $.a[1]: number is not finite"},
        {"18446744073709551616", SPB_E_INVALID_ARGUMENT, "does not fit 64 bits"},
        {"[1,]", SPB_E_INVALID_ARGUMENT, "line 1"},
        {"\"\xff\"", SPB_E_UTF8, "byte 1"},
        {"{\"$spb\":{\"attachment\":0}}", SPB_E_INVALID_ARGUMENT, "the value has 0"},
    };
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
        spb_value *value = (spb_value *)1;
        spb_error *error = NULL;
        CHECK(spb_value_from_json(spb_str_z(faults[i].json), &value, &error) == faults[i].status);
        CHECK(value == NULL);
        CHECK(strstr(spb_error_message(error).ptr, faults[i].says) != NULL);
        CHECK(spb_error_details_json(error).ptr[0] == '{');
        CHECK(spb_error_python_type(error).len == 0);
        spb_error_free(error);
    }
}

static void integers_are_exact(void) {
    const int64_t numbers[] = {0, -1, INT64_MAX, INT64_MIN, (INT64_C(1) << 53) + 1};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        spb_value *value;
        int64_t back = 7;
        OK(spb_value_from_i64(numbers[i], &value, ERR));
        OK(spb_value_as_i64(value, &back, ERR));
        CHECK(back == numbers[i]);
        spb_value_free(value);
    }
    spb_value *big = check_value("18446744073709551615");
    int64_t back = 7;
    EXPECT(SPB_E_TYPE_MISMATCH, spb_value_as_i64(big, &back, ERR));
    CHECK(back == 0);
    spb_value_free(big);
}

static void floats_keep_every_digit(void) {
    const double numbers[] = {0.1, -0.0, DBL_MAX, DBL_MIN, 5e-324, 1.0 / 3, INFINITY, -INFINITY};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        spb_value *value;
        double back = 7;
        OK(spb_value_from_f64(numbers[i], &value, ERR));
        OK(spb_value_as_f64(value, &back, ERR));
        CHECK(memcmp(&back, &numbers[i], sizeof back) == 0);
        spb_value_free(value);
    }
}

static void floats_without_a_number_in_json_are_tagged(void) {
    static const struct { double number; const char *json; } floats[] = {
        {NAN, "{\"$spb\":{\"float\":\"nan\"}}"},
        {INFINITY, "{\"$spb\":{\"float\":\"inf\"}}"},
        {-INFINITY, "{\"$spb\":{\"float\":\"-inf\"}}"},
    };
    for (size_t i = 0; i < sizeof floats / sizeof *floats; i++) {
        spb_value *value;
        double back = 7;
        int64_t integer = 7;
        OK(spb_value_from_f64(floats[i].number, &value, ERR));
        CHECK(check_json_is(value, floats[i].json));
        OK(spb_value_as_f64(value, &back, ERR));
        CHECK(isnan(floats[i].number) ? isnan(back) : back == floats[i].number);
        EXPECT(SPB_E_TYPE_MISMATCH, spb_value_as_i64(value, &integer, ERR));
        spb_value_free(value);
    }
    double back = 7;
    spb_value *value = check_value("[{\"$spb\":{\"float\":\"nan\"}}]");
    EXPECT(SPB_E_TYPE_MISMATCH, spb_value_as_f64(value, &back, ERR));
    CHECK(back == 0);
    spb_value_free(value);
}

static void texts_and_truths_come_back(void) {
    spb_value *value;
    spb_text *text;
    OK(spb_value_from_text(SPB_STR("a \"quoted\"\n\0 line"), &value, ERR));
    CHECK(check_json_is(value, "\"a \\\"quoted\\\"\\n\\u0000 line\""));
    OK(spb_value_as_text(value, &text, ERR));
    spb_str view = spb_text_view(text);
    CHECK(view.len == 17 && memcmp(view.ptr, "a \"quoted\"\n\0 line", 18) == 0);
    spb_text_free(text);
    spb_value_free(value);
    for (uint8_t truth = 0; truth < 2; truth++) {
        uint8_t back = 7;
        OK(spb_value_from_bool(truth, &value, ERR));
        OK(spb_value_as_bool(value, &back, ERR));
        CHECK(back == truth);
        EXPECT(SPB_E_TYPE_MISMATCH, spb_value_as_text(value, &text, ERR));
        CHECK(text == NULL);
        spb_value_free(value);
    }
}

static void attachments_are_copied_in_and_viewed_out(void) {
    uint8_t bytes[] = {0, 255, 7};
    float numbers[] = {1.5f, -2, 3, 4, 5, 6};
    int64_t shape[] = {2, 3};
    spb_attachment given[2];
    memset(given, 0, sizeof given);
    given[0].kind = SPB_ATTACHMENT_BLOB;
    given[0].data = bytes;
    given[0].len = sizeof bytes;
    given[1].kind = SPB_ATTACHMENT_TENSOR;
    given[1].dtype = SPB_DTYPE_FLOAT32;
    given[1].data = (const uint8_t *)numbers;
    given[1].len = sizeof numbers;
    given[1].shape = shape;
    given[1].ndim = 2;
    const char *json = "[{\"$spb\":{\"attachment\":0}},{\"$spb\":{\"attachment\":1}}]";
    spb_value *value;
    OK(spb_value_from_parts(spb_str_z(json), given, 2, &value, ERR));
    memset(bytes, 9, sizeof bytes);
    memset(shape, 9, sizeof shape);
    CHECK(spb_value_attachment_count(value) == 2);
    spb_attachment seen;
    OK(spb_value_attachment(value, 0, &seen, ERR));
    CHECK(seen.kind == SPB_ATTACHMENT_BLOB && seen.dtype == 0 && seen.len == 3);
    CHECK(seen.data[1] == 255 && seen.shape == NULL && seen.ndim == 0);
    OK(spb_value_attachment(value, 1, &seen, ERR));
    CHECK(seen.kind == SPB_ATTACHMENT_TENSOR && seen.dtype == SPB_DTYPE_FLOAT32);
    CHECK(seen.ndim == 2 && seen.shape[0] == 2 && seen.shape[1] == 3);
    CHECK(seen.len == sizeof numbers && memcmp(seen.data, numbers, seen.len) == 0);
    EXPECT(SPB_E_NOT_FOUND, spb_value_attachment(value, 2, &seen, ERR));
    CHECK(seen.kind == 0 && seen.data == NULL);
    spb_value_free(value);
}

static void every_element_type_has_its_size(void) {
    static const size_t sizes[] = {0, 1, 1, 2, 4, 8, 1, 2, 4, 8, 2, 2, 4, 8};
    uint8_t data[24] = {1};
    int64_t shape = 3;
    for (uint32_t dtype = 0; dtype <= SPB_DTYPE_FLOAT64 + 1; dtype++) {
        size_t size = dtype <= SPB_DTYPE_FLOAT64 ? sizes[dtype] : 1;
        spb_attachment tensor = {SPB_ATTACHMENT_TENSOR, dtype, data, 3 * size, &shape, 1};
        bool is_good = dtype >= SPB_DTYPE_BOOL && dtype <= SPB_DTYPE_FLOAT64;
        spb_value *value;
        spb_str json = SPB_STR("{\"$spb\":{\"attachment\":0}}");
        EXPECT(is_good ? SPB_OK : SPB_E_INVALID_ARGUMENT,
               spb_value_from_parts(json, &tensor, 1, &value, ERR));
        spb_attachment seen;
        if (is_good) OK(spb_value_attachment(value, 0, &seen, ERR));
        if (is_good) CHECK(seen.dtype == dtype && seen.len == 3 * size);
        spb_value_free(value);
        tensor.len += 1;
        EXPECT(SPB_E_INVALID_ARGUMENT, spb_value_from_parts(SPB_STR("1"), &tensor, 1, &value, ERR));
    }
}

int main(void) {
    CHECK(spb_abi_check());
    documents_keep_their_bytes();
    faulty_documents_are_refused_by_place();
    integers_are_exact();
    floats_keep_every_digit();
    floats_without_a_number_in_json_are_tagged();
    texts_and_truths_come_back();
    attachments_are_copied_in_and_viewed_out();
    every_element_type_has_its_size();
    return 0;
}
