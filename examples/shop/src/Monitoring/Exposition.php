<?php

declare(strict_types=1);

namespace Shop\Monitoring;

/** Prometheus' text exposition format, version 0.0.4. */
final class Exposition
{
    public const CONTENT_TYPE = 'text/plain; version=0.0.4; charset=utf-8';

    private string $text = '';

    /** @param list<array{0: int|float, 1?: array<string, string>, 2?: string}> $samples value, labels, suffix of the name */
    public function add(string $name, string $type, string $help, array $samples): void
    {
        if ($samples === []) {
            return;
        }
        $this->text .= "# HELP $name $help\n# TYPE $name $type\n";
        foreach ($samples as $sample) {
            [$value, $labels, $suffix] = $sample + [0, [], ''];
            $pairs = [];
            foreach ($labels as $label => $text) {
                $pairs[] = $label . '="' . strtr($text, ['\\' => '\\\\', '"' => '\"', "\n" => '\n']) . '"';
            }
            $this->text .= $name . $suffix . ($pairs === [] ? '' : '{' . implode(',', $pairs) . '}') . ' ' . self::number($value) . "\n";
        }
    }

    public function text(): string
    {
        return $this->text;
    }

    public static function number(int|float $value): string
    {
        return is_float($value) && is_infinite($value) ? '+Inf' : (string) json_encode($value);
    }
}
