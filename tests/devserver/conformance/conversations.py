"""Bytes to send to a new beanstalkd, and all bytes that it answers."""

BAD = b"BAD_FORMAT\r\n"
UNKNOWN = b"UNKNOWN_COMMAND\r\n"
USING = b"USING default\r\n"
ASK = b"list-tube-used\r\n"  # answered USING: shows where the next command is read
HELLO = b"put 0 0 100 5\r\nhello\r\n"
NAME = b"n" * 200
ALL_CHARACTERS = b"azAZ09-+/;.$_()"
ANY_BYTES = bytes(range(256)) + b"\r\nquit\r\n"

NO_TIMEOUTS = (
    b"reserve-with-timeout x\r\nreserve-with-timeout \r\n"
    b"reserve-with-timeout \t0\r\nreserve-with-timeout +0\r\n"
)

# By name: the bytes sent on a new connection to a new server, and all its replies.
CONVERSATIONS = {
    "put": (HELLO, b"INSERTED 1\r\n"),
    "put of nothing": (b"put 0 0 1 0\r\n\r\n", b"INSERTED 1\r\n"),
    "put of any bytes": (
        b"put 0 0 1 %d\r\n%b\r\npeek 1\r\n" % (len(ANY_BYTES), ANY_BYTES),
        b"INSERTED 1\r\nFOUND 1 %d\r\n%b\r\n" % (len(ANY_BYTES), ANY_BYTES),
    ),
    "put at the limits": (
        b"put 4294967295 4294967295 4294967295 0\r\n\r\n",
        b"INSERTED 1\r\n",
    ),
    "put with more blanks": (b"put  0   0 1  0\r\n\r\n", b"INSERTED 1\r\n"),
    "put with leading zeros": (b"put 00 000 01 00\r\n\r\n", b"INSERTED 1\r\n"),
    "put with too large a priority": (b"put 4294967296 0 1 0\r\n", BAD),
    "put with too large a delay": (b"put 0 4294967296 1 0\r\n", BAD),
    "put with too large a ttr": (b"put 0 0 4294967296 0\r\n", BAD),
    "put with too large a size": (b"put 0 0 1 4294967296\r\n", BAD),
    "put with a size of many digits": (b"put 0 0 1 " + b"9" * 99 + b"\r\n", BAD),
    "put with a blank at the end": (b"put 0 0 1 0 \r\n\r\n", BAD + UNKNOWN),
    "put with a number too many": (b"put 0 0 1 0 0\r\n\r\n", BAD + UNKNOWN),
    "put with a number too few": (b"put 0 0 1\r\n", BAD),
    "put with letters": (b"put a 0 1 0\r\nput 0 0 1 0x\r\n", BAD + BAD),
    "put with a sign": (b"put +1 0 1 0\r\nput -1 0 1 0\r\n", BAD + BAD),
    "put with a tab": (b"put\t0 0 1 0\r\nput 0\t0 1 0\r\n", UNKNOWN + BAD),
    "put alone": (b"put\r\nput \r\n", UNKNOWN + BAD),
    "a body after a bad put is commands": (
        HELLO + b"put -1 0 1 8\r\ndelete 1\r\npeek 1\r\n",
        b"INSERTED 1\r\n" + BAD + b"DELETED\r\nNOT_FOUND\r\n",
    ),
    "a body that is longer than it says": (
        b"put 0 0 1 5\r\nhello!\r\n" + ASK * 2,
        b"EXPECTED_CRLF\r\n" + UNKNOWN + USING,
    ),
    "a body that is shorter than it says": (
        b"put 0 0 1 5\r\nhel\r\n" + ASK,
        b"EXPECTED_CRLF\r\n" + UNKNOWN,
    ),
    "a body with another end": (
        b"put 0 0 1 5\r\nhello\n\n" + ASK,
        b"EXPECTED_CRLF\r\n" + USING,
    ),
    "an id is used up by a body with no good end": (
        b"put 0 0 1 1\r\nx??" + HELLO,
        b"EXPECTED_CRLF\r\nINSERTED 2\r\n",
    ),
    "put of the largest job": (
        b"put 0 0 1 65535\r\n%b\r\n" % bytes(65535),
        b"INSERTED 1\r\n",
    ),
    "put of too large a job": (
        b"put 0 0 1 65536\r\n%b\r\n" % (b"quit\r\n" * 10923)[:65536] + ASK + HELLO,
        b"JOB_TOO_BIG\r\n" + USING + b"INSERTED 1\r\n",
    ),
    "put of too large a job with more on its line": (
        b"put 0 0 1 65536 0 x\r\n%b\r\n" % bytes(65536) + ASK,
        b"JOB_TOO_BIG\r\n" + USING,
    ),
    "the end of too large a job is not looked at": (
        b"put 0 0 1 65536\r\n%b??" % bytes(65536) + ASK,
        b"JOB_TOO_BIG\r\n" + USING,
    ),
    "use": (b"use %b\r\n" % NAME, b"USING %b\r\n" % NAME),
    "use with all characters": (
        b"use %b\r\n" % ALL_CHARACTERS,
        b"USING %b\r\n" % ALL_CHARACTERS,
    ),
    "use with too long a name": (b"use %bn\r\n" % NAME, BAD),
    "use with no name": (b"use\r\nuse \r\n", UNKNOWN + BAD),
    "use with a bad name": (
        b"use -a\r\nuse a b\r\nuse  a\r\nuse a \r\nuse a,\r\nuse a\xe9\r\n",
        BAD * 6,
    ),
    "watch": (b"watch a\r\nwatch a\r\nwatch b\r\n", b"WATCHING %d\r\n" * 3 % (2, 2, 3)),
    "watch with a bad name": (b"watch -a\r\nwatch %bn\r\nwatch \r\n" % NAME, BAD * 3),
    "ignore": (
        b"ignore default\r\nignore a\r\nwatch a\r\nignore default\r\nignore a\r\n",
        b"NOT_IGNORED\r\nWATCHING 1\r\nWATCHING 2\r\nWATCHING 1\r\nNOT_IGNORED\r\n",
    ),
    "ignore with a bad name": (
        b"ignore -a\r\nignore %bn\r\nignore \r\n" % NAME,
        BAD * 3,
    ),
    "list-tube-used": (b"use a\r\n" + ASK, b"USING a\r\nUSING a\r\n"),
    "list-tubes-watched": (
        b"watch a\r\nlist-tubes-watched\r\n",
        b"WATCHING 2\r\nOK 18\r\n---\n- default\n- a\n\r\n",
    ),
    "list-tubes": (
        b"use a\r\nlist-tubes\r\n",
        b"USING a\r\nOK 18\r\n---\n- default\n- a\n\r\n",
    ),
    "in a list the last takes the place of one that left": (
        b"watch a\r\nwatch b\r\nignore default\r\nlist-tubes-watched\r\n",
        b"WATCHING 2\r\nWATCHING 3\r\nWATCHING 2\r\nOK 12\r\n---\n- b\n- a\n\r\n",
    ),
    "tubes that nobody needs vanish": (
        b"use a\r\nuse b\r\nwatch c\r\nignore c\r\nlist-tubes\r\n",
        (
            b"USING a\r\nUSING b\r\nWATCHING 2\r\nWATCHING 1\r\n"
            b"OK 18\r\n---\n- default\n- b\n\r\n"
        ),
    ),
    "a tube stays for its jobs": (
        b"use a\r\n" + HELLO + b"use b\r\nlist-tubes\r\ndelete 1\r\nlist-tubes\r\n",
        (
            b"USING a\r\nINSERTED 1\r\nUSING b\r\nOK 22\r\n"
            b"---\n- default\n- a\n- b\n\r\n"
            b"DELETED\r\nOK 18\r\n---\n- default\n- b\n\r\n"
        ),
    ),
    "reserve": (HELLO + b"reserve\r\n", b"INSERTED 1\r\nRESERVED 1 5\r\nhello\r\n"),
    "reserve by priority and then by id": (
        (
            b"put 2 0 9 0\r\n\r\nput 1 0 9 0\r\n\r\nput 1 0 9 0\r\n\r\n"
            b"reserve\r\nreserve\r\nreserve\r\n"
        ),
        (
            b"INSERTED 1\r\nINSERTED 2\r\nINSERTED 3\r\n"
            b"RESERVED 2 0\r\n\r\nRESERVED 3 0\r\n\r\nRESERVED 1 0\r\n\r\n"
        ),
    ),
    "reserve from tubes by priority and then by id": (
        (
            b"use b\r\nput 1 0 9 0\r\n\r\nuse a\r\nput 1 0 9 0\r\n\r\n"
            b"put 0 0 9 0\r\n\r\n"
            b"watch a\r\nwatch b\r\nreserve\r\nreserve\r\nreserve\r\n"
        ),
        (
            b"USING b\r\nINSERTED 1\r\nUSING a\r\nINSERTED 2\r\nINSERTED 3\r\n"
            b"WATCHING 2\r\nWATCHING 3\r\n"
            b"RESERVED 3 0\r\n\r\nRESERVED 1 0\r\n\r\nRESERVED 2 0\r\n\r\n"
        ),
    ),
    "reserve waits no longer than the other side is there": (
        b"reserve\r\nreserve-with-timeout 100\r\n" + ASK,
        b"TIMED_OUT\r\nTIMED_OUT\r\n" + USING,
    ),
    "reserve with something behind": (
        b"reserve \r\nreserve-x\r\nreserve1\r\n",
        BAD * 3,
    ),
    "reserve-with-timeout 0": (b"reserve-with-timeout 0\r\n", b"TIMED_OUT\r\n"),
    "reserve-with-timeout with something behind": (
        b"reserve-with-timeout 0x\r\nreserve-with-timeout  0 1\r\n",
        b"TIMED_OUT\r\n" * 2,
    ),
    "reserve-with-timeout of what is no number": (NO_TIMEOUTS, BAD * 4),
    "reserve-with-timeout of less than 0": (b"reserve-with-timeout -1\r\n", BAD),
    "reserve-with-timeout of 31 bits": (
        b"reserve-with-timeout 2147483647\r\n",
        b"TIMED_OUT\r\n",
    ),
    "reserve-with-timeout of 32 bits": (b"reserve-with-timeout 2147483648\r\n", BAD),
    "reserve-with-timeout of 33 bits": (b"reserve-with-timeout 4294967296\r\n", BAD),
    "reserve-with-timeout of 64 bits": (
        (
            b"reserve-with-timeout 9223372036854775807\r\n"
            b"reserve-with-timeout 9223372036854775808\r\n"
        ),
        BAD * 2,
    ),
    "reserve-with-timeout alone": (b"reserve-with-timeout\r\n", BAD),
    "reserve-job": (
        HELLO + b"reserve-job 1\r\nreserve-job 1\r\nreserve-job 2\r\n",
        b"INSERTED 1\r\nRESERVED 1 5\r\nhello\r\nNOT_FOUND\r\nNOT_FOUND\r\n",
    ),
    "reserve-job of a buried job and a delayed one": (
        HELLO + b"put 0 100 9 0\r\n\r\nreserve\r\nbury 1 0\r\n"
        b"reserve-job 1\r\nreserve-job 2\r\nkick 9\r\n",
        (
            b"INSERTED 1\r\nINSERTED 2\r\nRESERVED 1 5\r\nhello\r\nBURIED\r\n"
            b"RESERVED 1 5\r\nhello\r\nRESERVED 2 0\r\n\r\nKICKED 0\r\n"
        ),
    ),
    "delete": (
        HELLO * 2 + b"reserve\r\ndelete 1\r\ndelete 2\r\ndelete 2\r\ndelete 3\r\n",
        (
            b"INSERTED 1\r\nINSERTED 2\r\nRESERVED 1 5\r\nhello\r\n"
            b"DELETED\r\nDELETED\r\nNOT_FOUND\r\nNOT_FOUND\r\n"
        ),
    ),
    "delete of a buried job and a delayed one": (
        HELLO + b"put 0 100 9 0\r\n\r\nreserve\r\nbury 1 0\r\ndelete 1\r\ndelete 2\r\n",
        (
            b"INSERTED 1\r\nINSERTED 2\r\nRESERVED 1 5\r\nhello\r\nBURIED\r\n"
            b"DELETED\r\nDELETED\r\n"
        ),
    ),
    "release": (
        HELLO + b"release 1 0 0\r\nreserve\r\nrelease 1 0 0\r\nrelease 1 0 0\r\n"
        b"release 2 0 0\r\nreserve\r\n",
        (
            b"INSERTED 1\r\nNOT_FOUND\r\nRESERVED 1 5\r\nhello\r\nRELEASED\r\n"
            b"NOT_FOUND\r\n"
            b"NOT_FOUND\r\nRESERVED 1 5\r\nhello\r\n"
        ),
    ),
    "release with another priority": (
        HELLO * 2 + b"reserve\r\nrelease 1 1 0\r\nreserve\r\nreserve\r\n",
        (
            b"INSERTED 1\r\nINSERTED 2\r\nRESERVED 1 5\r\nhello\r\nRELEASED\r\n"
            b"RESERVED 2 5\r\nhello\r\nRESERVED 1 5\r\nhello\r\n"
        ),
    ),
    "release with a delay": (
        HELLO + b"reserve\r\nrelease 1 0 100\r\npeek-delayed\r\npeek-ready\r\n",
        (
            b"INSERTED 1\r\nRESERVED 1 5\r\nhello\r\nRELEASED\r\nFOUND 1 5\r\nhello\r\n"
            b"NOT_FOUND\r\n"
        ),
    ),
    "release with bad numbers": (
        (
            b"release 1\r\nrelease 1 0\r\nrelease 1 0 0 0\r\nrelease 1 0 -1\r\n"
            b"release 1 4294967296 0\r\nrelease 1 0 4294967296\r\nrelease x 0 0\r\n"
        ),
        BAD * 7,
    ),
    "bury": (
        HELLO * 2 + b"bury 1 0\r\nreserve\r\nreserve\r\nbury 2 0\r\nbury 1 0\r\n"
        b"peek-buried\r\nkick 1\r\npeek-buried\r\nbury 1 0\r\n",
        (
            b"INSERTED 1\r\nINSERTED 2\r\nNOT_FOUND\r\nRESERVED 1 5\r\nhello\r\n"
            b"RESERVED 2 5\r\nhello\r\nBURIED\r\nBURIED\r\nFOUND 2 5\r\nhello\r\n"
            b"KICKED 1\r\nFOUND 1 5\r\nhello\r\nNOT_FOUND\r\n"
        ),
    ),
    "bury with bad numbers": (
        b"bury 1\r\nbury 1 0 0\r\nbury 1 -1\r\nbury 1 4294967296\r\nbury x 0\r\n",
        BAD * 5,
    ),
    "touch": (
        HELLO + b"touch 1\r\nreserve\r\ntouch 1\r\ntouch 2\r\n",
        b"INSERTED 1\r\nNOT_FOUND\r\nRESERVED 1 5\r\nhello\r\nTOUCHED\r\nNOT_FOUND\r\n",
    ),
    "kick kicks delayed jobs only if none is buried": (
        b"put 0 200 9 0\r\n\r\nput 0 100 9 0\r\n\r\n"
        + HELLO
        + b"reserve\r\nbury 3 0\r\n"
        b"kick 9\r\nkick 1\r\nreserve-job 2\r\nkick 9\r\nkick 9\r\n",
        (
            b"INSERTED 1\r\nINSERTED 2\r\nINSERTED 3\r\nRESERVED 3 5\r\n"
            b"hello\r\nBURIED\r\n"
            b"KICKED 1\r\nKICKED 1\r\nRESERVED 2 0\r\n\r\nKICKED 1\r\nKICKED 0\r\n"
        ),
    ),
    "kick of the used tube only": (
        b"put 0 200 9 0\r\n\r\nuse a\r\nkick 9\r\n",
        b"INSERTED 1\r\nUSING a\r\nKICKED 0\r\n",
    ),
    "kick with an odd number": (
        b"put 0 9 9 0\r\n\r\n" * 4 + b"kick 4294967296\r\nkick 1x\r\nkick  1 \r\n"
        b"kick -4294967295\r\nkick -1\r\n",
        (
            b"INSERTED 1\r\nINSERTED 2\r\nINSERTED 3\r\nINSERTED 4\r\n"
            b"KICKED 0\r\nKICKED 1\r\nKICKED 1\r\nKICKED 1\r\nKICKED 1\r\n"
        ),
    ),
    "kick with no number": (
        b"kick\r\nkick \r\nkick x\r\nkick 18446744073709551616\r\n",
        UNKNOWN + BAD * 3,
    ),
    "kick-job": (
        HELLO + b"put 0 100 9 0\r\n\r\nkick-job 1\r\nreserve\r\nkick-job 1\r\n"
        b"bury 1 0\r\nkick-job 1\r\nkick-job 2\r\nkick-job 2\r\nkick-job 3\r\n",
        (
            b"INSERTED 1\r\nINSERTED 2\r\nNOT_FOUND\r\nRESERVED 1 5\r\nhello\r\n"
            b"NOT_FOUND\r\n"
            b"BURIED\r\nKICKED\r\nKICKED\r\nNOT_FOUND\r\nNOT_FOUND\r\n"
        ),
    ),
    "peek": (
        HELLO + b"peek 1\r\npeek   1\r\npeek 2\r\npeek 18446744073709551615\r\n",
        (
            b"INSERTED 1\r\nFOUND 1 5\r\nhello\r\nFOUND 1 5\r\nhello\r\n"
            b"NOT_FOUND\r\nNOT_FOUND\r\n"
        ),
    ),
    "peek of a job that another command would not find": (
        b"put 0 100 9 0\r\n\r\n" + HELLO + b"use a\r\npeek 1\r\nreserve\r\npeek 2\r\n",
        (
            b"INSERTED 1\r\nINSERTED 2\r\nUSING a\r\nFOUND 1 0\r\n\r\n"
            b"RESERVED 2 5\r\nhello\r\nFOUND 2 5\r\nhello\r\n"
        ),
    ),
    "peek with a bad number": (
        (
            b"peek\r\npeek \r\npeek x\r\npeek 1x\r\npeek 1 \r\npeek -1\r\npeek +1\r\n"
            b"peek \t1\r\npeek 18446744073709551616\r\n"
        ),
        UNKNOWN + BAD * 8,
    ),
    "peek-ready, peek-delayed and peek-buried find the first of the used tube": (
        (
            b"put 2 0 9 0\r\n\r\nput 1 0 9 0\r\n\r\nput 0 200 9 0\r\n\r\n"
            b"put 0 100 9 0\r\n\r\npeek-ready\r\npeek-delayed\r\npeek-buried\r\n"
            b"use a\r\npeek-ready\r\npeek-delayed\r\n"
        ),
        (
            b"INSERTED 1\r\nINSERTED 2\r\nINSERTED 3\r\nINSERTED 4\r\nFOUND 2 0\r\n\r\n"
            b"FOUND 4 0\r\n\r\nNOT_FOUND\r\nUSING a\r\nNOT_FOUND\r\nNOT_FOUND\r\n"
        ),
    ),
    "pause-tube": (
        b"pause-tube default 100\r\npause-tube a 1\r\npause-tube  default  0\r\n",
        b"PAUSED\r\nNOT_FOUND\r\nPAUSED\r\n",
    ),
    "pause-tube without a blank": (b"pause-tubedefault 0\r\n", b"PAUSED\r\n"),
    "pause-tube with bad arguments": (
        b"pause-tube\r\npause-tube default\r\npause-tube default x\r\n"
        b"pause-tube default 1 \r\npause-tube default -1\r\npause-tube -a 1\r\n"
        b"pause-tube a,b 1\r\npause-tube default 4294967296\r\n"
        b"pause-tube %bn 1\r\n" % NAME,
        BAD * 9,
    ),
    "a paused tube hands out no jobs": (
        HELLO + b"pause-tube default 100\r\nreserve-with-timeout 0\r\npeek-ready\r\n"
        b"pause-tube default 0\r\nreserve-with-timeout 0\r\n",
        (
            b"INSERTED 1\r\nPAUSED\r\nTIMED_OUT\r\nFOUND 1 5\r\nhello\r\nPAUSED\r\n"
            b"RESERVED 1 5\r\nhello\r\n"
        ),
    ),
    "a paused tube gives a job by its id": (
        HELLO + b"pause-tube default 100\r\nreserve-job 1\r\n",
        b"INSERTED 1\r\nPAUSED\r\nRESERVED 1 5\r\nhello\r\n",
    ),
    "quit": (b"quit\r\n", b""),
    "quit by what only begins like it": (b"quitting\r\n", b""),
    "stats of what is not there": (
        b"stats-job 1\r\nstats-tube a\r\n",
        b"NOT_FOUND\r\n" * 2,
    ),
    "stats with bad arguments": (
        (
            b"stats-job x\r\nstats-job \r\nstats-tube -a\r\nstats-tube \r\nstats x\r\n"
            b"stats-job\r\nstats-tube\r\nstatsx\r\n"
        ),
        BAD * 8,
    ),
    "lists and peeks with something behind": (
        (
            b"list-tubes \r\nlist-tubesx\r\nlist-tube-usedx\r\nlist-tubes-watched x\r\n"
            b"peek-readyx\r\npeek-delayed \r\npeek-buried 1\r\n"
        ),
        BAD * 7,
    ),
    "no command": (b"\r\n \r\nhello\r\nPUT\r\n stats\r\nlist-tube\r\n", UNKNOWN * 6),
    "a zero byte": (b"use a\0\r\n\0\r\nlist-tube-used\0\r\n" + ASK, BAD * 3 + USING),
    "bytes that are no text": (b"\xff\xfe\r\n" + ASK, UNKNOWN + USING),
    "a line that ends in a line feed only": (
        b"stats\nlist-tubes\r\n" + ASK,
        BAD + USING,
    ),
    "a line of 224 bytes": (b"x" * 222 + b"\r\n" + ASK, UNKNOWN + USING),
    "a line of 225 bytes": (b"x" * 223 + b"\r\n" + ASK, BAD),
    "a line of 226 bytes": (b"x" * 224 + b"\r\n" + ASK, BAD + USING),
    "a line of 448 bytes": (b"x" * 446 + b"\r\n" + ASK, BAD + USING),
    "a line of 449 bytes": (b"x" * 447 + b"\r\n" + ASK, BAD),
    "a line of 100,000 bytes": (b"x" * 99_998 + b"\r\n" + ASK, BAD + USING),
    "a line that has no end": (b"x" * 100_000, b""),
    "a carriage return within a line hides ends": (b"use a\rb\r\n" + ASK, b""),
    "a carriage return within a line hides ends up to 224 bytes": (
        b"use a\rb\r\n" + b"x" * 215 + ASK * 2,
        BAD + USING,
    ),
    "a command that is not complete": (ASK + b"list-tubes", USING),
    "a job that is not complete": (b"put 0 0 1 5\r\nhel", b""),
}

# By name: the replies of beanstalkd before 1.13, where they are others. A timeout was
# read by C's strtol, and cut to 32 bits; a negative one meant no limit.
BEFORE_1_13 = {
    "reserve-with-timeout of what is no number": b"TIMED_OUT\r\n" * 4,
    "reserve-with-timeout of less than 0": b"TIMED_OUT\r\n",
    "reserve-with-timeout of 32 bits": b"TIMED_OUT\r\n",
    "reserve-with-timeout of 33 bits": b"TIMED_OUT\r\n",
    "reserve-with-timeout of 64 bits": b"TIMED_OUT\r\n" + BAD,
}
