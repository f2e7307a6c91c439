<?php
// Loads Guzzle as Debian installs it, the generated client, and the classes of this folder.

declare(strict_types=1);

require_once 'GuzzleHttp/autoload.php';

spl_autoload_register(function (string $class): void {
    $name = strtr($class, '\\', '/');
    $file = str_starts_with($name, 'Parlor/') ? 'generated/lib/' . substr($name, strlen('Parlor/')) : $name;
    if (is_file(__DIR__ . "/$file.php")) {
        require_once __DIR__ . "/$file.php";
    }
});
