<?php
// Answers with what of the machine it finds itself in, as JSON.
const MAPS = 'echo json_encode(array_values(array_unique(array_filter(array_map(fn($l) => strstr(rtrim($l), "/"), file("/proc/self/maps"))))));';
date_default_timezone_set('Asia/Tokyo');
$authorities = openssl_get_cert_locations();
$out = [
    'body' => file_get_contents('php://input'),
    'version' => PHP_VERSION,
    'extensions' => get_loaded_extensions(),
    'child' => json_decode(shell_exec('php -r ' . escapeshellarg(MAPS)), true),
    'shell' => trim(shell_exec('echo $0; php -r "echo 6*7;"')),
    'script' => trim(shell_exec('hello.php')),
    'iconv' => bin2hex(iconv('UTF-8', 'ISO-8859-15', 'é')),
    'cafile' => ini_get('openssl.cafile'),
    'ini' => php_ini_scanned_files(),
    'zone' => date('T', 0),
];
ob_start();
eval(MAPS);
$out['maps'] = json_decode(ob_get_clean(), true);
header('Content-Type: application/json');
echo json_encode($out);
