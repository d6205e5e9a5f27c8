/* The minimum of work, written by hand: CRC, parse, line, only for the forms of this benchmark.
 *
 * loop read FILE         the same lines as telegraf_p1 writes
 * loop time FILE PASSES  CPU time per telegram in µs */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

typedef struct { const char *at; int length; } Text;
enum { NUMBER, INTEGER, PLAIN, HEX, METER, TIME, LOG, PEAK, HISTORY, LIMIT };
static const struct { const char *reference; int kind; const char *name; } ROWS[] = {  /* in a line's order */
  {"1-3:0.2.8", PLAIN, "p1_version"}, {"0-0:96.1.4", PLAIN, "p1_version"}, {"0-0:96.1.1", METER, ""}, {"0-0:1.0.0", TIME, ""},
  {"0-0:96.14.0", INTEGER, "tariff"}, {"0-0:96.3.10", INTEGER, "breaker_state"}, {"0-0:17.0.0", LIMIT, "limiter_threshold_kw"},
  {"1-0:31.4.0", LIMIT, "fuse_threshold_l1_a"}, {"0-0:96.13.0", HEX, "message"}, {"0-0:96.7.21", INTEGER, "power_failures"},
  {"0-0:96.7.9", INTEGER, "long_power_failures"}, {"1-0:99.97.0", LOG, "power_failure_log_count"},
  {"1-0:32.32.0", INTEGER, "voltage_sags_l1"}, {"1-0:32.36.0", INTEGER, "voltage_swells_l1"},
  {"1-0:52.32.0", INTEGER, "voltage_sags_l2"}, {"1-0:52.36.0", INTEGER, "voltage_swells_l2"},
  {"1-0:72.32.0", INTEGER, "voltage_sags_l3"}, {"1-0:72.36.0", INTEGER, "voltage_swells_l3"},
  {"1-0:1.8.1", NUMBER, "energy_import_t1_kwh"}, {"1-0:1.8.2", NUMBER, "energy_import_t2_kwh"},
  {"1-0:2.8.1", NUMBER, "energy_export_t1_kwh"}, {"1-0:2.8.2", NUMBER, "energy_export_t2_kwh"},
  {"1-0:1.7.0", NUMBER, "power_import_kw"}, {"1-0:2.7.0", NUMBER, "power_export_kw"},
  {"1-0:21.7.0", NUMBER, "power_import_l1_kw"}, {"1-0:22.7.0", NUMBER, "power_export_l1_kw"},
  {"1-0:41.7.0", NUMBER, "power_import_l2_kw"}, {"1-0:42.7.0", NUMBER, "power_export_l2_kw"},
  {"1-0:61.7.0", NUMBER, "power_import_l3_kw"}, {"1-0:62.7.0", NUMBER, "power_export_l3_kw"},
  {"1-0:32.7.0", NUMBER, "voltage_l1_v"}, {"1-0:31.7.0", NUMBER, "current_l1_a"}, {"1-0:52.7.0", NUMBER, "voltage_l2_v"},
  {"1-0:51.7.0", NUMBER, "current_l2_a"}, {"1-0:72.7.0", NUMBER, "voltage_l3_v"}, {"1-0:71.7.0", NUMBER, "current_l3_a"},
  {"1-0:1.4.0", NUMBER, "power_import_quarter_kw"}, {"1-0:1.6.0", PEAK, "power_import_month_peak_"}, {"0-0:98.1.0", HISTORY, ""},
};
enum { COUNT = sizeof ROWS / sizeof *ROWS, SLOTS = 4096, CHANNELS = 5, GROUPS = 64 };
static uint16_t crcs[256];
static signed char rows[SLOTS];

static unsigned hash(const char *at, int length) {
  unsigned sum = 0;
  while (length--) sum = sum * 33 + (unsigned char)*at++;
  return (sum ^ sum >> 12) % SLOTS;
}

static void prepare(void) {
  for (int n = 0; n < 256; n++) {
    crcs[n] = n;
    for (int bit = 0; bit < 8; bit++) crcs[n] = crcs[n] >> 1 ^ (crcs[n] & 1 ? 0xA001 : 0);
  }
  memset(rows, -1, sizeof rows);
  for (int n = 0; n < COUNT; n++) {
    signed char *row = &rows[hash(ROWS[n].reference, strlen(ROWS[n].reference))];
    if (*row != -1) exit(3);  /* a collision: choose another hash */
    *row = n;
  }
}

static char *text(char *to, const char *from) { size_t n = strlen(from); memcpy(to, from, n); return to + n; }
static char *put(char *to, Text from) { memcpy(to, from.at, from.length); return to + from.length; }
static char *whole(char *to, int64_t value) { return to + sprintf(to, "%lld", (long long)value); }
static int two(const char *at) { return (at[0] - '0') * 10 + at[1] - '0'; }

static int64_t epoch(const char *at) {  /* YYMMDDhhmmssX in Amsterdam → UTC in s since 1970, for this century */
  static const int before[] = {0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334};
  int year = two(at), month = two(at + 2);
  int64_t day = 10957 + year * 365 + (year + 3) / 4 + before[month - 1] + (year % 4 == 0 && month > 2) + two(at + 4) - 1;
  return day * 86400 + (two(at + 6) - (at[12] == 'S' ? 2 : 1)) * 3600 + two(at + 8) * 60 + two(at + 10);
}

static Text digits(Text value) {  /* 000123.456*kWh → 123.456 */
  const char *at = value.at, *end = memchr(at, '*', value.length);
  if (!end) end = at + value.length;
  while (end - at > 1 && *at == '0' && at[1] != '.') at++;
  return (Text){at, (int)(end - at)};
}

static char *hex(char *to, Text value) {
  for (int n = 0; n + 1 < value.length; n += 2)
    *to++ = ((value.at[n] & 15) + (value.at[n] > '9' ? 9 : 0)) << 4 | ((value.at[n + 1] & 15) + (value.at[n + 1] > '9' ? 9 : 0));
  return to;
}

static int groups(Text value, Text *found) {  /* a)(b)(c → a, b, c */
  const char *at = value.at, *end = value.at + value.length, *bracket;
  int n = 0;
  for (; n < GROUPS - 1 && (bracket = memchr(at, ')', end - at)); at = bracket + 2) found[n++] = (Text){at, (int)(bracket - at)};
  found[n++] = (Text){at, (int)(end - at)};
  return n;
}

static char *named(char *to, const char *name) { *to++ = ','; to = text(to, name); *to++ = '='; return to; }
static char *stamp(char *to, const char *name, int64_t value) { to = whole(named(to, name), value); *to++ = 'i'; return to; }

static char *log_(char *to, Text value) {
  Text found[GROUPS];
  int n = groups(value, found), last = 2;
  to = stamp(to, "power_failure_log_count", atoi(found[0].at));
  for (int k = 4; k < n; k += 2) if (epoch(found[k].at) > epoch(found[last].at)) last = k;
  to = stamp(to, "power_failure_last_timestamp", epoch(found[last].at));
  return stamp(to, "power_failure_last_duration_s", atoi(found[last + 1].at));
}

static char *history(char *to, Text value) {
  Text found[GROUPS];
  int n = groups(value, found), months = 0, sum = 0;
  for (int k = 5; k < n; k += 3, months++) sum += atoi(found[k].at) * 1000 + atoi(found[k].at + 3);
  int mean = (2 * sum + months) / (2 * months);
  to = named(to, "power_import_year_peak_average_kw");
  to += sprintf(to, "%d.%03d", mean / 1000, mean % 1000);
  return stamp(to, "power_import_year_peak_months", months);
}

static char *field(char *to, int kind, const char *name, Text value) {
  Text found[GROUPS];
  if (!value.length) return to;
  switch (kind) {
    case NUMBER: return put(named(to, name), digits(value));
    case INTEGER: to = put(named(to, name), digits(value)); *to++ = 'i'; return to;
    case PLAIN: to = named(to, name); *to++ = '"'; to = put(to, value); *to++ = '"'; return to;
    case HEX: to = named(to, name); *to++ = '"'; to = hex(to, value); *to++ = '"'; return to;
    case LIMIT: return strspn(value.at, "9.") < (size_t)digits(value).length ? put(named(to, name), digits(value)) : to;
    case LOG: return log_(to, value);
    case HISTORY: return history(to, value);
    case PEAK:
      groups(value, found);
      to = put(named(to, "power_import_month_peak_kw"), digits(found[1]));
      return stamp(to, "power_import_month_peak_timestamp", epoch(found[0].at));
  }
  return to;
}

/* A telegram from its `/` to its `!` → its line; returns the end of the line. */
static char *line(const char *at, const char *end, char *to) {
  Text values[COUNT] = {0}, ids[CHANNELS] = {0}, readings[CHANNELS] = {0}, meter = {0};
  int types[CHANNELS] = {0};
  int64_t time = 0;
  const char *identification = at + 1, *next = memchr(at, '\r', end - at), *identified = next;
  for (at = next + 4; at < end; at = next + 2) {
    next = memchr(at, '\r', end - at);
    const char *bracket = memchr(at, '(', next - at);
    Text value = {bracket + 1, (int)(next - bracket - 2)};
    int channel = at[2] - '0', reference = bracket - at - 4;
    if (at[0] == '0' && channel) {
      if (!memcmp(at + 4, "24.1.0", reference)) types[channel] = atoi(value.at);
      else if (!memcmp(at + 4, "96.1.", 5)) ids[channel] = value;
      else readings[channel] = value;
      continue;
    }
    int row = rows[hash(at, bracket - at)];
    if (row < 0 || memcmp(ROWS[row].reference, at, bracket - at)) continue;
    if (ROWS[row].kind == METER) meter = value;
    else if (ROWS[row].kind == TIME) time = epoch(value.at);
    else values[row] = value;
  }
  to = hex(text(to, "p1,meter="), meter);
  to = text(to, " identification=\"");
  for (; identification < identified; identification++) {
    if (*identification == '\\') *to++ = '\\';
    *to++ = *identification;
  }
  *to++ = '"';
  for (int row = 0; row < COUNT; row++) to = field(to, ROWS[row].kind, ROWS[row].name, values[row]);
  for (int channel = 1; channel < CHANNELS; channel++) {
    if (!readings[channel].length) continue;
    const char *medium = types[channel] == 3 ? ",gas_" : ",water_";
    Text reading = {readings[channel].at + 15, readings[channel].length - 15};
    to = put(text(text(to, medium), "m3="), digits(reading));
    to = whole(text(text(to, medium), "timestamp="), epoch(readings[channel].at));
    to = hex(text(text(text(to, "i"), medium), "meter_id=\""), ids[channel]);
    *to++ = '"';
  }
  *to++ = ' ';
  return text(whole(to, time), "000000000\n");
}

static long lines(const char *at, const char *end, FILE *out) {
  static char made[65536];
  long count = 0;
  for (const char *mark; (at = memchr(at, '/', end - at)) && (mark = memchr(at, '!', end - at)); at = mark + 5) {
    uint16_t crc = 0;
    for (const char *byte = at; byte <= mark; byte++) crc = crcs[(crc ^ (unsigned char)*byte) & 255] ^ crc >> 8;
    if (crc != strtol(mark + 1, 0, 16)) continue;
    char *stop = line(at, mark, made);
    if (out) fwrite(made, 1, stop - made, out);
    count++;
  }
  return count;
}

int main(int argc, char **argv) {
  FILE *file = argc > 2 ? fopen(argv[2], "rb") : 0;
  if (!file) return 2;
  static char data[64 << 20];
  size_t size = fread(data, 1, sizeof data - 1, file);
  prepare();
  if (argc == 3) return !lines(data, data + size, stdout);
  struct timespec begun, ended;
  long count = 0;
  lines(data, data + size, 0);
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &begun);
  for (int pass = atoi(argv[3]); pass; pass--) count += lines(data, data + size, 0);
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ended);
  printf("%f\n", ((ended.tv_sec - begun.tv_sec) * 1e9 + (ended.tv_nsec - begun.tv_nsec)) / 1e3 / count);
}
