<?php
// A client of pkLockServer as PHP programs have it, told line by line on standard input what to do:
//   lock NAME [SECONDS]   takes a lock; gives up after so many seconds, 30 if none are given, and then unlocks
//   unlock NAME           gives it back
// It prints the JSON of each reply. Arguments: the address, such as tcp://127.0.0.1:20934.

$server = stream_socket_client($argv[1], $errorNumber, $error, 5);
if ($server === false) {
    fwrite(STDERR, "$error\n");
    exit(1);
}

function send($server, array $message): void
{
    $json = json_encode($message);
    fwrite($server, pack('N', strlen($json)) . $json);
}

/** Exactly so many bytes, or null when the time is over. */
function readBytes($server, int $length): ?string
{
    $bytes = '';
    while (strlen($bytes) < $length) {
        $chunk = fread($server, $length - strlen($bytes));
        if (stream_get_meta_data($server)['timed_out']) {
            return null;
        }
        if ($chunk === false || $chunk === '') {
            fwrite(STDERR, "the server closed the connection\n");
            exit(1);
        }
        $bytes .= $chunk;
    }
    return $bytes;
}

function receive($server): ?string
{
    $header = readBytes($server, 4);
    return $header === null ? null : readBytes($server, unpack('N', $header)[1]);
}

function unlock($server, string $name): string
{
    send($server, ['command' => 'unlock', 'lockName' => $name]);
    do {
        $reply = receive($server);
    } while (($reply === null) || !isset(json_decode($reply, true)['attempted']));
    return $reply;
}

echo "connected\n";
$id = 0;
while (($line = fgets(STDIN)) !== false) {
    $words = explode(' ', rtrim($line, "\n"));
    if ($words[0] === 'unlock') {
        echo unlock($server, $words[1]), "\n";
        continue;
    }
    $id += 1;
    $seconds = (float) ($words[2] ?? 30);
    stream_set_timeout($server, (int) $seconds, (int) (fmod($seconds, 1) * 1e6));
    send($server, ['command' => 'lock', 'parameters' => ['lockName' => $words[1], 'timeLimit' => $seconds], 'id' => $id]);
    $reply = receive($server);
    // The grant may be under way just now, so who gives up unlocks.
    echo $reply ?? 'gave up: ' . unlock($server, $words[1]), "\n";
}
